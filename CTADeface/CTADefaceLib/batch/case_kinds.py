"""How a case of each kind is run, in the process that runs it, and what it will write."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..cases.result import failure
from ..cases.volume_file import deface_file
from ..errors import Cancelled, CTADefaceError
from ..files.publish import output_paths
from ..network.host import NetworksHere
from .overlap import Lane


@dataclass(frozen=True)
class Kind:
    """``run(source, folder, options, progress, warn)`` returns the ``Result``s of a case, one or one for each series;
    ``wanted(source, folder, options)`` the paths that it will write, and those that lie where it will.
    """

    run: Callable
    wanted: Callable


def _run_file(source, folder, options, progress, warn):
    return [deface_file(source, folder, options, progress, warn, _networks)]


def _wanted_of_file(source, folder, options):
    defaced, mask = output_paths(source, folder, options.naming)
    mask = Path(options.masks) / mask.name
    return [mask] if options.mask_only else [defaced, mask]


def _run_study(source, folder, options, progress, warn):
    from ..dicom.deface_study import deface_dicom

    return deface_dicom(source, folder, options, progress, warn, _networks)


def _wanted_of_study(_source, folder, options):
    """Which series there will be is not known yet: whatever lies in the folder of the study."""
    return [] if options.mask_only or not folder.is_dir() else sorted(folder.iterdir())


# Held by each process that runs cases, so that a model is loaded once for all of them.
_networks = NetworksHere()
KINDS = {"file": Kind(_run_file, _wanted_of_file), "dicom": Kind(_run_study, _wanted_of_study)}


def run_case(case, where, options, progress=None, warn=lambda text: None):
    """Run one case in this process and return its ``Result``s, also when it failed.

    Raises: Cancelled, and what is no fault of the case (such as a lost network drive), for another try.
    """
    lane = progress or Lane()
    try:
        return KINDS[case.kind].run(*arguments_of_case(case, where, options), lane, warn)
    except Cancelled:
        raise
    except (CTADefaceError, MemoryError) as error:
        return [failure(case.id, error)]
    finally:
        lane.leave()


def wanted_of_case(case, where, options):
    """The paths that a case will write, and those that lie where it will."""
    return KINDS[case.kind].wanted(*arguments_of_case(case, where, options))


def arguments_of_case(case, where, options):
    """(source, folder, options) with the folders of one case; masks show the shape of the face: not for release."""
    kept = where.hospital / case.kept
    masks = kept if options.masks is None else Path(options.masks) / case.folder
    options = replace(options, naming=case.naming, release=str(where.target), records=str(kept), masks=str(masks))
    return where.source / case.id, where.target / case.folder, options
