"""Results appear under their names complete or not at all, whatever happens to the run."""

import errno
import os
import shutil
import socket
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError
from .private import make_private, private_folder
from .read import split_extension
from .temporary import new_folder

STAGING = ".cta-deface-"
# Of another computer's run on a shared drive, or where processes cannot be asked for: certainly over after this.
STALE_S = 86_400.0


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
def publishing(paths, overwrite=False, release=None, public=()):
    """Temporary names to write to; on success they are renamed to ``paths``, in this order, on failure none stays.

    What is written there may be a file or a folder of files, which then appears with all that is in it.
    They lie in a hidden folder beside the folder of each path, so that a run that is killed leaves nothing in there;
    what such a run left beside it is removed by the next one. ``release``, if a path lies in that folder or deeper, is
    the folder beside which they lie, so that nothing unfinished is ever in it. Only those of ``paths`` that ``public``
    holds are for others too, as the umask says; all else is for the owner alone (see ``private``). Renaming without
    ``overwrite`` goes by a hard link, which fails when somebody made the file meanwhile.
    Raises: ``OutputError`` for a full or read-only disk and for existing files.
    """
    paths = [Path(p) for p in paths]
    refuse_existing(paths, overwrite)
    staged, published, folders = [], [], {}
    try:
        for path in paths:
            if path.parent not in folders:
                folders[path.parent] = _staging_folder(path.parent, release, path in public)
            staged.append(folders[path.parent] / path.name)
        yield staged
        for temporary, path in zip(staged, paths):
            if path not in public:
                make_private(temporary)
        for temporary in staged:
            _flush(temporary)
        for temporary, path in zip(staged, paths):
            (_rename_folder if temporary.is_dir() else _rename)(temporary, path, overwrite)
            published.append(path)
        for folder in folders:
            _flush_folder(folder)
    except BaseException as error:
        if not overwrite:
            for path in published:
                _remove(path)
        if isinstance(error, FileExistsError) and len(staged) == len(paths):
            raise OutputError(f"{error.filename2 or error.filename}: exists already; "
                              "choose another folder or allow overwriting.") from None
        if isinstance(error, OSError):
            raise OutputError(f"{paths[0].parent}: cannot be written ({error.strerror or error}); "
                              "free space or choose another folder.") from None
        raise
    finally:
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def _staging_folder(folder, release=None, public=False):
    """A new hidden folder on the same file system as ``folder``: beside it, or, where that cannot be, in it."""
    if public:
        folder.mkdir(parents=True, exist_ok=True)
    else:
        private_folder(folder, release)
    beside = folder.resolve().parent
    if release is not None and folder.resolve().is_relative_to(Path(release).resolve()):
        beside = Path(release).resolve().parent
    for place in (beside, folder):
        _remove_stale(place)
    prefix = f"{STAGING}{_host()}-{os.getpid()}-"
    with suppress(OSError):
        if os.stat(beside).st_dev == os.stat(folder).st_dev and beside != folder.resolve():
            return new_folder(beside, prefix)
    return new_folder(folder, prefix)


def _host():
    return "".join(c for c in socket.gethostname() if c.isalnum()) or "host"


def _remove_stale(folder):
    """Remove staging folders of runs that were killed."""
    for left in folder.glob(STAGING + "*-*-*"):
        host, pid = left.name.removeprefix(STAGING).split("-")[:2]
        with suppress(OSError):
            over = time.time() - left.stat().st_mtime > STALE_S
            if over or (host == _host() and pid.isdigit() and not _may_run(int(pid))):
                shutil.rmtree(left)


def _may_run(pid):
    if sys.platform == "win32":
        # There, signal 0 ends the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path):
    if path.is_dir():
        for inside in path.iterdir():
            _flush(inside)
        _flush_folder(path)
        return
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder):
    """Make the new names outlast a power cut, where folders can be flushed."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename(temporary, path, overwrite):
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network drives): the check and the rename are then two steps.
        if path.exists():
            raise FileExistsError(17, "File exists", str(path)) from None
        os.replace(temporary, path)


def _rename_folder(temporary, path, overwrite):
    """Rename a folder; one of that name is moved to the staging folder first, which goes in the end."""
    old = temporary.with_name(temporary.name + ".old")
    if path.exists():
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError as error:
        if old.exists():
            os.rename(old, path)
        if error.errno == errno.ENOTEMPTY:
            # Somebody made it meanwhile.
            raise FileExistsError(errno.EEXIST, "File exists", str(path)) from None
        raise
