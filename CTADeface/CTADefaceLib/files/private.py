"""Folders and files that only their owner may read, whatever the umask: what shows a face or names a patient.

Where modes do not exist (FAT, Windows) the folder's own rights decide.
"""

import os
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600


def private_folder(folder, release=None):
    """Make ``folder`` and its missing parents for the owner only; returns it. One that is there already stays as it is.

    ``release``: the folder that is given away; parents that it shares with ``folder`` get the modes of the umask.
    Raises: OSError.
    """
    folder = Path(folder)
    public = {*Path(release).resolve().parents} if release is not None else set()
    for missing in reversed([path for path in (folder, *folder.parents) if not path.is_dir()]):
        if missing.resolve() in public:
            missing.mkdir(exist_ok=True)
        else:
            missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
    return folder


def private_file(path):
    """Make an empty file for the owner only, or take a file's rights for others away; returns the path. Raises: OSError."""
    path = Path(path)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        return path
    make_private(path)
    return path


def make_private(path):
    """Take all rights of others from a file, or from a folder and what is in it."""
    # Some file systems know no modes.
    with suppress(OSError):
        os.chmod(path, FOLDER_MODE if path.is_dir() else FILE_MODE)
    if path.is_dir():
        for inside in path.iterdir():
            make_private(inside)


def open_private(path, mode="w", **how):
    """As ``open``; the file is for the owner only from its first byte. Raises: OSError."""
    return open(private_file(path), mode, **how)


@contextmanager
def private_umask():
    """For other packages' writers: what this process and those that it starts make meanwhile is for the owner only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
