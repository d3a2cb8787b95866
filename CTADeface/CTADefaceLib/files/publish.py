"""Names of results; a result appears under its name complete or not at all, whatever happens to the run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExistsError, OutputError
from .read import split_extension
from .storage.journal import STAGING, Publication


def output_paths(
    source_path: str | Path, folder: str | Path, naming: str = "plain", called: str | None = None
) -> tuple[Path, Path]:
    """(defaced, mask) paths in ``folder`` for an input file, in the input's own format.

    Parameters: ``naming`` 'plain' (<name>_defaced, <name>_facemask) or 'bids', where the file is <entities>_<suffix>
    (<entities>_desc-defaced_<suffix>, <entities>_desc-face_mask); ``called`` the name to use instead of the file's own,
    which may name the patient.
    """
    name, extension = split_extension(source_path)
    name = called or name
    entities, _, suffix = name.rpartition("_")
    if naming == "bids" and entities:
        # Two modalities of one session must not share a mask's name.
        kind = "" if suffix.lower() == "ct" else suffix.lower()
        defaced, mask = f"{entities}_desc-defaced_{suffix}", f"{entities}_desc-face{kind}_mask"
    else:
        defaced, mask = f"{name}_defaced", f"{name}_facemask"
    return Path(folder) / (defaced + extension), Path(folder) / (mask + extension)


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Raise ``ExistsError`` when one of ``paths`` exists and ``overwrite`` is False."""
    for path in paths:
        if path.exists() and not overwrite:
            raise ExistsError(f"{path}: exists already; choose another folder.")


@contextmanager
def publishing(
    paths: Iterable[str | Path],
    overwrite: bool = False,
    release: str | Path | None = None,
    public: Collection[Path] = (),
    into: Publication | None = None,
) -> Iterator[list[Path]]:
    """Temporary names to write to; on success they are renamed to ``paths``, all or none; on failure none stays.

    A path may become a file or a folder of files, which then appears with all that is in it. The temporary names lie in a
    hidden folder (see ``journal``) at ``place_of(paths, release)``, so that nothing unfinished is ever in the folder
    ``release``. Those of ``paths`` that are in ``public`` are given away and get the modes of the umask; all others are for
    the owner only (see ``private``). ``into``: a ``Publication`` whose owner commits everything later. Without
    ``overwrite`` a file that another program has made meanwhile stays.
    Raises: ``OutputError`` for a full or read-only disk and for existing files.
    """
    targets = [Path(p) for p in paths]
    with publication(place_of(targets, release), into, release) as own:
        refuse_existing(targets, overwrite)
        yield [own.stage(path, overwrite, path in public) for path in targets]


@contextmanager
def publication(
    place: str | Path, into: Publication | None = None, release: str | Path | None = None
) -> Iterator[Publication]:
    """A ``Publication`` at ``place``, committed at the end; or ``into``, which keeps what is staged unless an error comes.

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
        raise ExistsError(f"{error.filename2 or error.filename}: exists already; choose another folder.") from None
    except OSError as error:
        raise OutputError(
            f"{_folder_meant(error, place)}: cannot be written ({error.strerror or error}); "
            "free space or choose another folder."
        ) from None


def place_of(paths: Sequence[str | Path], release: str | Path | None = None) -> Path:
    """The folder for unfinished files of ``paths``: that of the first path outside of ``release``, or beside ``release``."""
    if release is None:
        return Path(paths[0]).parent
    release = Path(release).resolve()
    outside = (Path(path).parent for path in paths if not Path(path).parent.resolve().is_relative_to(release))
    return next(outside, release.parent)


def _folder_meant(error: OSError, place: str | Path) -> str | Path:
    """The user's folder that an ``OSError`` is about."""
    named = error.filename2 or error.filename
    if not isinstance(named, (str, Path)):
        return place
    visible = Path(named)
    while any(part.startswith(STAGING) for part in visible.parts):
        visible = visible.parent
    return visible if visible.is_dir() else visible.parent
