"""The shell command ``cta-deface run``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..dicom.reading.input_files import is_dicom
from ..errors import CTADefaceError, InputError, MissingPackages, UsageError
from .engine_options import add_engine_options, add_header_options, add_private_option, add_seg_option, options_of
from .exit_codes import EPILOG, code_of
from .printed_result import print_result
from .progress_bar import ProgressBar, name_of

if TYPE_CHECKING:
    from ..cases.options import Options
    from ..cases.result import Result
    from ..progress import Progress


NAMES_KEPT = (
    "Names of volume files are released as they are: rename those that tell who the patient is before you give them away."
)


def add_run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser("run", help="deface volume files and DICOM studies", epilog=EPILOG)
    run.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help=".nii, .nii.gz, .nrrd or .mha in HU; a folder of a DICOM study, or DICOM files",
    )
    run.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="folder of the defaced volumes, which is given away; the names of volume files are released as they are",
    )
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
        "--mask-only",
        action="store_true",
        help="write only the face mask, to --masks or --hospital where one is given, else to --output; nothing is given "
        "away then",
    )
    run.add_argument(
        "--series",
        metavar="UID|NUMBER",
        help="DICOM: make the mask on this series (default: the best CT of the head); see cta-deface series",
    )
    add_header_options(run)
    add_private_option(run)
    add_seg_option(run)
    add_engine_options(run)
    run.set_defaults(action=run_command)


def run_command(args: argparse.Namespace) -> int:
    """Exit code 0 only when every input was defaced, else that of the most serious; a bad input never stops the others."""
    sources = grouped(args.inputs)
    if args.mask is None and args.networks is not None:
        # Before anything else is imported, because loading torch there takes longer than reading a scan here.
        args.networks.volumes_to_come = len(sources)
        args.networks.begin(args.model)
    if args.networks is None:
        from ..network.host import NetworksHere

        args.networks = NetworksHere()
    options = options_of(args)
    _require_sensible(options, len(sources))
    if len(sources) > 1 and not options.mask_only:
        from ..release.hospital_folder import require_apart

        # Each input asks for itself, too, but another one must not have been released beside it by then.
        require_apart(args.inputs, args.output)
    if options.mask_only and options.masks is None:
        options = replace(options, masks=options.records)
    taken: dict[Path | str, Path | str] = {}
    faults: list[str | None] = []
    named = False
    for source in sources:
        if isinstance(source, list) or Path(source).is_dir():
            results = _run_study(source, args, options, taken)
        else:
            results = [run_one(source, args, options, taken)]
            named |= results[0].defaced is not None
        for result in results:
            print_result(result, args)
        faults += [result.fault for result in results]
        if all(result.reason for result in results):
            # Each series was left out for a reason: nothing was done.
            faults.append(InputError.fault)
    if named and not args.quiet:
        print(NAMES_KEPT, file=sys.stderr)
    return code_of(faults)


def _require_sensible(options: Options, inputs: int) -> None:
    """Raise ``UsageError`` for options that contradict each other or the number of inputs."""
    if options.mask is not None and inputs > 1:
        raise UsageError("--mask: belongs to one volume; give one INPUT.")
    if options.keep and inputs > 1:
        raise UsageError("--keep: belongs to one volume; give one INPUT.")
    if options.override and inputs > 1:
        raise UsageError("--override: a reason is given for one case that somebody has seen; give one INPUT.")
    if options.mask is not None and options.mask_only:
        raise UsageError("--mask-only: asks for a mask that --mask already gives; use one of the two.")


def run_one(path: str | Path, args: argparse.Namespace, options: Options, taken: dict) -> Result:
    """The ``Result`` of one volume file; ``taken`` the files that others of this command are written to."""
    from ..cases.volume_file import deface_file
    from ..files.publish import output_paths

    def work(progress: Progress, warn: Callable[[str], None]) -> list[Result]:
        _require_matched([path])
        target = output_paths(path, args.output)[0]
        if target in taken:
            raise UsageError(f"{path}: would be written to the same file as {taken[target]}; run them apart.")
        taken[target] = path
        return [deface_file(path, args.output, options, progress, warn, args.networks)]

    return _guarded(path, args, work)[0]


def _run_study(source: str | list[str], args: argparse.Namespace, options: Options, taken: dict) -> list[Result]:
    """The ``Result``s of a DICOM source; two of them in one release folder would use the same series' numbers."""
    from ..dicom.deface_study import deface_dicom

    def work(progress: Progress, warn: Callable[[str], None]) -> list[Result]:
        if "study" in taken:
            raise UsageError(f"{name}: series of two DICOM folders would get the same names; give each its own --output.")
        taken["study"] = name
        _require_matched(source if isinstance(source, list) else [source])
        try:
            return deface_dicom(source, args.output, options, progress, warn, args.networks)
        except CTADefaceError as error:
            raise _or_batch(error, name, args.output) from None

    name = source[0] if isinstance(source, list) else source
    return _guarded(name, args, work)


def _guarded(
    path: str | Path, args: argparse.Namespace, work: Callable[[Progress, Callable[[str], None]], list[Result]]
) -> list[Result]:
    """What ``work(progress, warn)`` returns, or one ``Result`` that says what went wrong."""
    from ..cases.result import failure

    bar = ProgressBar(name_of(path), args.quiet)
    try:
        return work(bar.progress, lambda text: print(text, file=sys.stderr))
    except Exception as error:
        return [failure(path, error)]
    finally:
        bar.close()


def _require_matched(paths: Iterable[str | Path]) -> None:
    """Raise ``InputError`` for a pattern that the shell found no files for."""
    for path in paths:
        if any(sign in str(path) for sign in "*?[") and not Path(path).exists():
            raise InputError(f"{path}: no file has such a name; check the folder and the pattern.")


def _or_batch(error: CTADefaceError, folder: str, output: str) -> CTADefaceError:
    """``error``, or, where the folder holds volume files and no DICOM at all, one that says how they are defaced."""
    about_input = isinstance(error, (InputError, MissingPackages))
    if not about_input or not Path(folder).is_dir() or not _only_volumes(Path(folder)):
        return error
    return InputError(
        f"{folder}: holds volume files, and no DICOM study; deface all of them with: "
        f"cta-deface batch {shlex.quote(folder)} {shlex.quote(output)}"
    )


def _only_volumes(folder: Path) -> bool:
    """Is there a volume file in the folder or below it, and no DICOM file?"""
    from ..files.read import EXTENSIONS

    found = False
    for path in folder.rglob("*"):
        if path.name.lower().endswith(EXTENSIONS):
            found = True
        elif path.is_file() and is_dicom(path):
            return False
    return found


def grouped(inputs: list[str]) -> list[str | list[str]]:
    """Shell inputs as sources: each folder (a DICOM study) and each volume file by itself, all DICOM files as one list."""
    files = [path for path in inputs if is_dicom(path) and not Path(path).is_dir()]
    sources: list[str | list[str]] = [path for path in inputs if path not in files]
    return [*sources, files] if files else sources
