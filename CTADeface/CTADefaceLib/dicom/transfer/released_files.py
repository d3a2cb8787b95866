"""The files of series that the gate released: the very files of then, by the digest in the gate's last record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...errors import CTADefaceError, InputError
from ...progress import Progress
from ...release.hospital_folder import last_record_path, records_folder
from ...release.record import RELEASED, file_digests, files_sha256
from ..reading.dicom_packages import need_pydicom, no_values_in_warnings
from ..reading.input_files import is_dicom


class NotReleased(CTADefaceError):
    """Files are not those that the gate released."""

    fault = "input"


@dataclass(frozen=True)
class ReleasedFile:
    """A file that was released: its path, UIDs of instance, class and transfer syntax, and the SHA-256 of its bytes."""

    path: str
    uid: str
    sop_class: str
    syntax: str
    sha256: str


def find_released(
    folder: str | Path, records: str | Path | None = None, progress: Progress | None = None
) -> list[ReleasedFile]:
    """The files of all released series in ``folder``: that of a series, or a release folder, searched with its sub-folders.

    Parameters: ``records`` the hospital's folder for ``folder`` (None: the one beside the release folder, see
    ``release.hospital_folder``).
    Raises: NotReleased for the first series with any file that the gate has not released; InputError for a folder that
    holds no files; MissingPackages, Cancelled.
    """
    top = Path(folder).resolve()
    if not top.is_dir():
        raise InputError(f"{folder}: is no folder; give the folder of a released series, or the release folder.")
    holding = sorted({path.parent for path in top.rglob("*") if not path.is_dir()})
    if not holding:
        raise InputError(f"{folder}: holds no files; give the folder of a released series, or the release folder.")
    files: list[ReleasedFile] = []
    for one in holding:
        if not any(is_dicom(path) for path in one.iterdir() if not path.is_dir()):
            raise NotReleased(
                f"{one}: holds no DICOM files, and nothing else is sent; give a folder of released DICOM series."
            )
        if progress is not None:
            progress.check()
        files += released_files(one, _records_of(one, top, records))
    return files


@no_values_in_warnings()
def released_files(folder: Path, records: Path) -> list[ReleasedFile]:
    """The files of a released series in ``folder``, each with its digest; ``records`` is the hospital's folder.

    Raises: NotReleased when the gate's last record of the series does not say that it was released, or not with these
    very files; MissingPackages.
    """
    pydicom = need_pydicom()
    record = last_record_path(records, folder.name)
    said = {} if record is None else _read(record)
    if said.get("status") != RELEASED:
        raise NotReleased(f"{folder}: no record in {records} says that the gate released it; export it again.")
    try:
        digests = file_digests(folder)
    except OSError as error:
        raise NotReleased(f"{folder}: its files cannot be read ({error.strerror}); export it again.") from None
    if files_sha256(digests) != said["output"].get("files_sha256"):
        raise NotReleased(
            f"{folder}: its files are not those that the gate released ({record}), one was changed, added or taken away "
            "since; export it again."
        )
    files = []
    for name, digest in digests.items():
        path = folder / name
        header = pydicom.dcmread(path, specific_tags=["SOPInstanceUID", "SOPClassUID"], stop_before_pixels=True)
        uids = str(header.SOPInstanceUID), str(header.SOPClassUID), str(header.file_meta.TransferSyntaxUID)
        files.append(ReleasedFile(str(path), *uids, digest))
    return files


def _read(record: Path) -> dict:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotReleased(f"{record}: the record cannot be read ({error}); export the series again.") from None


def _records_of(series: Path, top: Path, chosen: str | Path | None) -> Path:
    """The hospital's folder of a ``series`` in the folder ``top``; ``chosen`` is that of ``top``. Raises: NotReleased."""
    if chosen is not None:
        return Path(chosen) if series == top else Path(chosen) / series.parent.relative_to(top)
    # The release folder lies around the series; how far, only its neighbour tells.
    for release in [above for above in series.parents if above.name]:
        records = records_folder(release) / series.parent.relative_to(release)
        if last_record_path(records, series.name) is not None:
            return records
    raise NotReleased(
        f"{series}: no record beside its release folder says that the gate released it; name the hospital's folder, "
        "in which its records lie (in the shell with --hospital DIR)."
    )
