"""The names of results, and how they get them: complete or not at all, whatever happens to the run."""

from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError
from .journal import STAGING, Publication
from .read import split_extension


def output_paths(source_path, folder, naming="plain"):
    """(defaced, mask) paths in ``folder`` for an input file, in the input's own format.

    Parameters: ``naming`` 'plain' (<name>_defaced, <name>_facemask) or 'bids', where the file is <entities>_<suffix>
    (<entities>_desc-defaced_<suffix>, <entities>_desc-face_mask).
    """
    name, extension = split_extension(source_path)
    entities, _, suffix = name.rpartition("_")
    if naming == "bids" and entities:
        # Two modalities of one session must not share a mask's name.
        kind = "" if suffix.lower() == "ct" else suffix.lower()
        names = f"{entities}_desc-defaced_{suffix}", f"{entities}_desc-face{kind}_mask"
    else:
        names = f"{name}_defaced", f"{name}_facemask"
    return tuple(Path(folder) / (new + extension) for new in names)


def refuse_existing(paths, overwrite):
    """Raise ``OutputError`` when one of ``paths`` exists and ``overwrite`` is False."""
    for path in paths:
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already; choose another folder or allow overwriting.")


@contextmanager
def publishing(paths, overwrite=False, release=None, public=(), into=None):
    """Temporary names to write to; on success they are renamed to ``paths``, all or none; on failure none stays.

    What is written there may be a file or a folder of files, which then appears with all that is in it. They lie in a
    hidden folder (see ``journal``) in that of the first path outside of the folder ``release``, or beside that, so that
    nothing unfinished is ever in it. Only those of ``paths`` that ``public`` holds are given away, and for others too, as
    the umask says; all else is for the owner alone (see ``private``). ``into`` a ``Publication`` whose owner gives
    everything its name later. Without ``overwrite`` a file that somebody made meanwhile stays.
    Raises: ``OutputError`` for a full or read-only disk and for existing files.
    """
    paths = [Path(p) for p in paths]
    with publication(place_of(paths, release), into, release) as own:
        refuse_existing(paths, overwrite)
        yield [own.stage(path, overwrite, path in public) for path in paths]


@contextmanager
def publication(place, into=None, release=None):
    """A ``Publication`` at ``place``, committed at the end; or ``into``, to which all that is staged is added, or nothing.

    ``release`` as for ``Publication``. Raises: ``OutputError``, as ``publishing``.
    """
    try:
        if into is not None:
            with into.part():
                yield into
        else:
            with Publication(place, release) as own:
                yield own
                own.commit()
    except FileExistsError as error:
        raise OutputError(f"{error.filename2 or error.filename}: exists already; "
                          "choose another folder or allow overwriting.") from None
    except OSError as error:
        raise OutputError(f"{_folder_meant(error, place)}: cannot be written ({error.strerror or error}); "
                          "free space or choose another folder.") from None


def place_of(paths, release=None):
    """The folder in which what is unfinished of ``paths`` lies: never in the folder ``release``, which is given away."""
    if release is None:
        return Path(paths[0]).parent
    release = Path(release).resolve()
    outside = (Path(path).parent for path in paths if not Path(path).parent.resolve().is_relative_to(release))
    return next(outside, release.parent)


def _folder_meant(error, place):
    """The folder of the user's that an ``OSError`` is about."""
    named = error.filename2 or error.filename
    if not isinstance(named, (str, Path)):
        return place
    visible = Path(named)
    while any(part.startswith(STAGING) for part in visible.parts):
        visible = visible.parent
    return visible if visible.is_dir() else visible.parent
