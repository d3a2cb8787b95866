"""The shell command ``cta-deface run``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..dicom.input_files import is_dicom
from ..errors import CTADefaceError
from .shared import add_engine_options, add_private_option, guarded, options_of, print_result

if TYPE_CHECKING:
    from ..cases.options import Options
    from ..cases.result import Result
    from ..progress import Progress


def add_run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser("run", help="deface volume files and DICOM studies")
    run.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help=".nii, .nii.gz, .nrrd or .mha in HU; a folder of a DICOM study, or DICOM files",
    )
    run.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the defaced volumes, which is given away")
    run.add_argument("--mask", metavar="FILE", help="use this mask instead of a model (one INPUT only)")
    run.add_argument(
        "--keep",
        action="append",
        metavar="FILE[:LABEL]",
        help="never fill this structure: a labelmap on the grid of INPUT (one INPUT only), for DICOM also of an RTSTRUCT, "
        "FILE:NAME,NAME for some of its structures; may be repeated",
    )
    run.add_argument(
        "--no-second-opinion",
        dest="second_opinion",
        action="store_false",
        help="with --mask: the checks do not ask the model what it calls face",
    )
    run.add_argument(
        "--mask-only", action="store_true", help="write only the face mask, to --output: nothing is given away then"
    )
    run.add_argument(
        "--series",
        metavar="UID|NUMBER",
        help="DICOM: make the mask on this series (default: the best CT of the head); see cta-deface series",
    )
    run.add_argument(
        "--deidentify-headers",
        action="store_true",
        help="DICOM: also clean the headers (Basic Profile of PS3.15, by the package dicom-anonymizer)",
    )
    add_private_option(run)
    add_engine_options(run)
    run.set_defaults(action=run_command)


def run_command(args: argparse.Namespace) -> int:
    """Exit code 0 only when every input was defaced; a bad input never stops the others."""
    sources = grouped(args.inputs)
    if args.mask is None and args.networks is not None:
        # Before anything else is imported, because loading torch there takes longer than reading a scan here.
        args.networks.volumes_to_come = len(sources)
        args.networks.begin(args.model)
    if args.networks is None:
        from ..network.host import NetworksHere

        args.networks = NetworksHere()
    options = options_of(args)
    if options.mask is not None and len(sources) > 1:
        raise CTADefaceError("--mask: belongs to one volume; give one INPUT.")
    if options.keep and len(sources) > 1:
        raise CTADefaceError("--keep: belongs to one volume; give one INPUT.")
    if options.override and len(sources) > 1:
        raise CTADefaceError("--override: a reason is given for one case that somebody has seen; give one INPUT.")
    if options.mask is not None and options.mask_only:
        raise CTADefaceError("--mask-only: asks for a mask that --mask already gives; use one of the two.")
    taken: dict[Path | str, Path | str] = {}
    failures = 0
    for source in sources:
        if isinstance(source, list) or Path(source).is_dir():
            results = _run_study(source, args, options, taken)
        else:
            results = [run_one(source, args, options, taken)]
        for result in results:
            print_result(result, args.json)
            failures += result.error is not None
    return 1 if failures else 0


def run_one(path: str | Path, args: argparse.Namespace, options: Options, taken: dict) -> Result:
    """The ``Result`` of one volume file; ``taken`` the files that others of this command are written to."""
    from ..cases.volume_file import deface_file
    from ..files.publish import output_paths

    def work(progress: Progress, warn: Callable[[str], None]) -> list[Result]:
        target = output_paths(path, args.output)[0]
        if target in taken:
            raise CTADefaceError(f"{path}: would be written to the same file as {taken[target]}; run them apart.")
        taken[target] = path
        return [deface_file(path, args.output, options, progress, warn, args.networks)]

    return guarded(path, args, work)[0]


def _run_study(source: str | list[str], args: argparse.Namespace, options: Options, taken: dict) -> list[Result]:
    """The ``Result``s of a DICOM source; two of them in one release folder would use the same series' numbers."""
    from ..dicom.deface_study import deface_dicom

    def work(progress: Progress, warn: Callable[[str], None]) -> list[Result]:
        if "study" in taken:
            raise CTADefaceError(f"{name}: series of two DICOM folders would get the same names; give each its own --output.")
        taken["study"] = name
        return deface_dicom(source, args.output, options, progress, warn, args.networks)

    name = source[0] if isinstance(source, list) else source
    return guarded(name, args, work)


def grouped(inputs: list[str]) -> list[str | list[str]]:
    """Shell inputs as sources: each folder (a DICOM study) and each volume file by itself, all DICOM files as one list."""
    files = [path for path in inputs if is_dicom(path) and not Path(path).is_dir()]
    sources: list[str | list[str]] = [path for path in inputs if path not in files]
    return [*sources, files] if files else sources
