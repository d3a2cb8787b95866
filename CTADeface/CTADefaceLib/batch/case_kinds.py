"""How a case of each kind is run, in the process that runs it, and what it will write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..cases.options import Options
from ..cases.result import LEFT_OUT, Result, failure
from ..cases.volume_file import deface_file
from ..errors import BlankError, Cancelled, CTADefaceError, LabelmapError
from ..files.publish import output_paths
from ..network.host import Networks
from .find import Case, Places
from .numbering import may_be_labelmap
from .overlap import Lane

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """``run(source, folder, options, progress, warn, networks)`` returns the ``Result``s of a case, one or one for each
    series; ``wanted(source, folder, options)`` the paths that it will write, and those that lie where it will.
    """

    run: Callable[[Path, Path, Options, Lane, Warn, Networks], list[Result]]
    wanted: Callable[[Path, Path, Options], list[Path]]


def _run_file(source: Path, folder: Path, options: Options, progress: Lane, warn: Warn, networks: Networks) -> list[Result]:
    return [deface_file(source, folder, options, progress, warn, networks)]


def _wanted_of_file(source: Path, folder: Path, options: Options) -> list[Path]:
    assert options.masks is not None, "as arguments_of_case gives it"
    defaced, mask = output_paths(source, folder, options.naming, options.called)
    mask = Path(options.masks) / mask.name
    return [mask] if options.mask_only else [defaced, mask]


def _run_study(source: Path, folder: Path, options: Options, progress: Lane, warn: Warn, networks: Networks) -> list[Result]:
    from ..dicom.deface_study import deface_dicom

    return deface_dicom(source, folder, options, progress, warn, networks)


def _wanted_of_study(_source: Path, folder: Path, options: Options) -> list[Path]:
    """All that lies in the folder of the study, because it is not known yet which series there will be."""
    return [] if options.mask_only or not folder.is_dir() else sorted(folder.iterdir())


KINDS = {"file": Kind(_run_file, _wanted_of_file), "dicom": Kind(_run_study, _wanted_of_study)}


def run_case(
    case: Case, where: Places, options: Options, networks: Networks, lane: Lane | None = None, warn: Warn = lambda text: None
) -> list[Result]:
    """Run one case in this process and return its ``Result``s, also when it failed.

    Raises: Cancelled, and errors that are no fault of the case (such as a lost network drive), for another try.
    """
    lane = lane or Lane()
    try:
        return KINDS[case.kind].run(*arguments_of_case(case, where, options), lane, warn, networks)
    except Cancelled:
        raise
    except (CTADefaceError, MemoryError) as error:
        reason = why_labelmap(error, case)
        return [Result(case.id, LEFT_OUT, reason=reason) if reason else failure(case.id, error)]
    finally:
        lane.leave()


def why_labelmap(error: BaseException, case: Case) -> str | None:
    """Why an error about the input of a case means that it is a labelmap, which a batch leaves out; None for other errors."""
    if isinstance(error, LabelmapError):
        return "looks like a labelmap"
    # A scan may be blank because its export failed, so that its name has to speak for a labelmap too.
    if isinstance(error, BlankError) and may_be_labelmap(case.id):
        return "looks like an empty labelmap"
    return None


def wanted_of_case(case: Case, where: Places, options: Options) -> list[Path]:
    """The paths that a case will write, and those that lie where it will."""
    return KINDS[case.kind].wanted(*arguments_of_case(case, where, options))


def arguments_of_case(case: Case, where: Places, options: Options) -> tuple[Path, Path, Options]:
    """(source, folder, options) with the folders of one case; masks, which show the shape of the face, are not
    released, and all cases share the key of the pseudonyms and the table of patients."""
    kept = where.hospital / case.kept
    masks = kept if options.masks is None else Path(options.masks) / case.folder
    options = replace(
        options,
        naming=case.naming,
        called=case.called,
        release=str(where.target),
        records=str(kept),
        masks=str(masks),
        patients=str(where.hospital),
        thumbnail=True,
        # A correction keeps them too.
        store_kept=True,
    )
    return where.source / case.id, where.target / case.folder, options
