"""Finds the files of one model in a folder or .zip of unknown layout, and copies only those.

Known layouts: nnU-Net's results tree (``Dataset001_X/trainer__plans__configuration/fold_all/...``), with folders
around it or not, and the trainer folder itself.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from ..errors import ModelError
from ..progress import StageProgress
from .folder import CHECKPOINT_NAME, FOLD_PATTERN, choose_folds

# How many levels below the chosen folder or archive a trainer folder may lie.
SEARCH_DEPTH = 4
# Choosing a whole disk gives an error instead of a search of hours.
MOST_FOLDERS = 20000
# The largest nnU-Net checkpoints are about 1 GiB.
SIZE_LIMIT = 4 * 2**30
BLOCK = 2**20
DOCUMENT_PATTERN = re.compile(r"MODEL_CARD\.md|LICENSE[\w.-]*")


class Member(NamedTuple):
    """A file in a source: its path there, its unpacked size in bytes, and a function that opens it for reading."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def open_source(path: str | Path) -> Iterator[list[Member]]:
    """The relevant Members of a folder or .zip, readable inside the ``with`` block. Raises ModelError."""
    path = Path(path)
    if path.is_dir():
        yield _scan_folder(path)
    elif not path.is_file():
        raise ModelError(f"{path} does not exist; choose a model folder or .zip file.")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"{path.name} is truncated or no .zip file ({error}); download it again, or choose a model folder."
            ) from error
        with archive:
            yield _scan_zip(archive, path.name)


def find_trainer_folder(members: Iterable[Member], name: str) -> PurePosixPath:
    """Path in the source of its only trainer folder, '.' for the source itself.

    A trainer folder holds a plan and a checkpoint. Where no folder holds both, one that holds either is taken, so that
    ``inspect_folder`` can say what is missing. Raises ModelError for none or several; ``name`` is the source's.
    """
    paths = [member.path for member in members]
    plans = {path.parent for path in paths if path.name == "plans.json"}
    checkpoints = {path.parent.parent for path in paths if path.name == CHECKPOINT_NAME}
    found = sorted(str(path) for path in (plans & checkpoints) or (plans | checkpoints))
    if not found:
        raise ModelError(
            f"{name} contains no nnU-Net model (a folder with plans.json and fold_all/{CHECKPOINT_NAME}); "
            "choose the results folder that nnU-Net wrote."
        )
    if len(found) > 1:
        raise ModelError(f"{name} contains several models ({', '.join(found)}); choose the folder of one of them.")
    return PurePosixPath(found[0])


def copy_model(
    members: Sequence[Member], root: PurePosixPath, destination: Path, progress: StageProgress | None = None
) -> None:
    """Copy the model below ``root`` (see ``find_trainer_folder``) and its documents into ``destination``.

    Parameters: ``progress`` is updated, and can cancel, at every block of 1 MiB.
    Raises: ModelError for damage, for too much data or too little disk space; Cancelled.
    """
    wanted = _choose_members(members, root)
    total = sum(member.size for member in wanted.values())
    free = shutil.disk_usage(destination).free
    if total > SIZE_LIMIT:
        raise ModelError(
            f"The model takes {total / 2**30:.1f} GiB unpacked, more than the limit of "
            f"{SIZE_LIMIT / 2**30:.0f} GiB; choose a smaller model or one with fewer folds."
        )
    if total > free:
        raise ModelError(
            f"The model needs {total / 2**20:.1f} MiB but only {free / 2**20:.1f} MiB are free; make room "
            "on the disk of the model folder, or set CTADEFACE_MODELS to a folder on another."
        )
    done = 0
    for relative, member in wanted.items():
        target = destination / relative
        target.parent.mkdir(exist_ok=True)
        _copy(member, target, progress, done, total)
        done += member.size


def _choose_members(members: Sequence[Member], root: PurePosixPath) -> dict[str, Member]:
    """{path below the destination: Member}; documents may also lie above ``root``, and then the nearest is taken."""
    fold_files = {m.path.parent.name: m for m in members if m.path.name == CHECKPOINT_NAME and m.path.parent.parent == root}
    wanted = {f"{fold}/{CHECKPOINT_NAME}": fold_files[fold] for fold in choose_folds(fold_files)}
    for member in sorted(members, key=lambda m: len(m.path.parts)):
        in_root = member.path.parent == root
        above = member.path.parent in root.parents
        if (in_root and member.path.suffix == ".json") or (
            (in_root or above) and DOCUMENT_PATTERN.fullmatch(member.path.name)
        ):
            wanted[member.path.name] = member
    return wanted


def _copy(member: Member, target: Path, progress: StageProgress | None, done: int, total: int) -> None:
    copied = 0
    try:
        with member.open() as source, open(target, "wb") as output:
            while block := source.read(BLOCK):
                copied += len(block)
                if copied > member.size:
                    break
                output.write(block)
                if progress is not None:
                    progress.update((done + copied) / max(total, 1))
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(
            f"{member.path} could not be copied ({error}); check the disk, and download or copy the model again."
        ) from error
    if copied != member.size:
        raise ModelError(f"{member.path} is not as long as announced; download or copy the model again.")


def _is_needed(path: PurePosixPath) -> bool:
    """Can a file belong to a model? ``path`` is relative to the source."""
    if len(path.parts) > SEARCH_DEPTH + 2 or any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    if path.name == CHECKPOINT_NAME:
        return len(path.parts) > 1 and FOLD_PATTERN.fullmatch(path.parent.name) is not None
    return path.name in ("plans.json", "dataset.json") or DOCUMENT_PATTERN.fullmatch(path.name) is not None


def _scan_folder(folder: Path) -> list[Member]:
    members = []
    for number, (current, folders, files) in enumerate(os.walk(folder), start=1):
        if number > MOST_FOLDERS:
            raise ModelError(f"{folder} has more than {MOST_FOLDERS} folders in it; choose the model's own folder.")
        relative = Path(current).relative_to(folder)
        if len(relative.parts) > SEARCH_DEPTH:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path, file = PurePosixPath(relative.as_posix()) / name, Path(current) / name
            if _is_needed(path) and file.is_file():
                members.append(Member(path, file.stat().st_size, partial(_opened, file)))
    return members


def _opened(file: Path) -> IO[bytes]:
    return file.open("rb")


def _scan_zip(archive: zipfile.ZipFile, name: str) -> list[Member]:
    members: dict[PurePosixPath, Member] = {}
    for entry in archive.infolist():
        path = _safe_path(entry, name)
        if entry.is_dir() or not _is_needed(path):
            continue
        if entry.flag_bits & 0x1:
            raise ModelError(f"{name} is encrypted; unpack it with its password and choose the folder.")
        if path in members:
            raise ModelError(f"{name} contains {path} twice and may be unsafe; get it from a source you trust.")
        members[path] = Member(path, entry.file_size, partial(archive.open, entry))
    return list(members.values())


def _safe_path(entry: zipfile.ZipInfo, name: str) -> PurePosixPath:
    """Path of a zip entry. Raises ModelError for one that points outside of the archive, even if it is not needed."""
    text = entry.filename.replace("\\", "/")
    path = PurePosixPath(text)
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", text)
    if outside or stat.S_ISLNK(entry.external_attr >> 16):
        raise ModelError(
            f"{name} contains {entry.filename!r}, which points outside the archive or is a link, and may "
            "be unsafe; get it from a source you trust."
        )
    return path
