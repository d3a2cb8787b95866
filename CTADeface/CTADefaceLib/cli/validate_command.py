"""The shell command ``cta-deface validate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .wheel_only import require_room

if TYPE_CHECKING:
    from ..validation.faces import Faces
    from ..validation.protocol import Protocol


def add_validate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("validate", help="the published validation on a folder of heads with reference masks")
    parser.add_argument(
        "data", metavar="DATA", help="folder, searched with its sub-folders, of <name>_image.nii.gz and <name>_mask.nii.gz"
    )
    parser.add_argument(
        "--report",
        required=True,
        metavar="OUT",
        help="folder of the report and of the results, which a later run takes up; both show the original faces",
    )
    parser.add_argument("--heads", type=int, metavar="N", help="only the first N heads")
    parser.add_argument("--protocol", metavar="FILE", help="views, sizes, thresholds and methods (default: the module's)")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="installed model or model folder (default: bundled)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(action=validate_command)


def validate_command(args: argparse.Namespace) -> int:
    """Exit code 0 when the report was written; failures of single heads are in it."""
    require_room("validation", "validate")
    from ..release.hospital_folder import require_no_release
    from ..validation.heads import find_cases
    from ..validation.protocol import read_protocol
    from ..validation.results_store import Store, run_key
    from ..validation.run_study import run_study
    from ..validation.validation_packages import require_packages

    if args.heads is not None and args.heads < 1:
        raise InputError(f"--heads {args.heads}: give 1 or more.")
    protocol, cases = read_protocol(args.protocol), find_cases(args.data)[: args.heads]
    require_no_release(args.report, "The report and the results")
    require_packages()
    out, key = Path(args.report), run_key(protocol, args.model)
    store = Store(out / "work", key)
    results = run_study(
        cases,
        store,
        protocol,
        lambda: _faces(protocol),
        args.model,
        (lambda text: None) if args.quiet else lambda text: print(text, file=sys.stderr, flush=True),
    )
    from ..validation.reporting.study_report import write_report

    for path in write_report(out, results, protocol, key, store):
        print(path)
    print("The report and the folder work show the original faces: for the hospital only.", file=sys.stderr)
    return 0


def _faces(protocol: Protocol) -> Faces:
    from ..validation.faces import Faces

    return Faces(protocol)
