"""Headers of a defaced instance: how it was made, and by which method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ... import __version__
from ..reading.dicom_packages import need_pydicom
from .uids import NewUids

if TYPE_CHECKING:
    from pydicom import Dataset

    from .deidentify import BasicProfile

FACE_REMOVED = f"CTADeface {__version__}: face removed from pixels"
ELSEWHERE_REMOVED = f"CTADeface {__version__}: private, bulk data removed"
PRIVATE_KEPT = f"CTADeface {__version__}: bulk data removed, private kept"
DERIVATION = "Face removed by CTADeface"
MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
CLEAN_FACE = ("113102", "Clean Recognizable Visual Features Option")
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
DESCRIPTION_CHARACTERS, METHOD_CHARACTERS = 1024, 64


def methods(keep_private: bool = False, profile: BasicProfile | None = None) -> list[str]:
    """What is done to the headers of a run, as the texts of De-identification Method: also for the record.

    ``profile``: the header profile, if one is applied.
    """
    return [*(profile.methods if profile else ()), FACE_REMOVED, PRIVATE_KEPT if keep_private else ELSEWHERE_REMOVED]


def mark_defaced(
    dataset: Dataset,
    uids: NewUids,
    keep_private: bool = False,
    profile: BasicProfile | None = None,
    face_gone: bool = True,
) -> None:
    """Turn the header of an original (``pydicom.Dataset``, changed in place) into that of its defaced instance.

    Parameters: ``uids`` the run's ``NewUids``; ``keep_private`` when private elements, which may show anything, are still
    in it; ``profile`` as for ``methods``, only where it was applied to this dataset; ``face_gone`` as
    ``Outgoing.is_face_gone``: only then, and without private elements, it is said that no face can be recognised.
    """
    uids.replace_in(dataset)
    _mark_derived(dataset)
    _add_methods(dataset, methods(keep_private, profile))
    claimed = face_gone and not keep_private
    if claimed:
        dataset.RecognizableVisualFeatures = "NO"
    else:
        dataset.pop("RecognizableVisualFeatures", None)
    if profile:
        _mark_profile(dataset, profile, claimed)
    _new_meta(dataset)


def _mark_profile(dataset: Dataset, profile: BasicProfile, no_face: bool) -> None:
    """Claim profile and options: by PS3.15 E.3 an option is claimed together with a profile, never alone."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if profile.moves_dates else "REMOVED"
    options = [CLEAN_FACE] * no_face + [MODIFIED_DATES] * profile.moves_dates
    for code in (BASIC_PROFILE, *options):
        _add_code(dataset, code)


def _mark_derived(dataset: Dataset) -> None:
    dataset.ImageType = _derived(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    for element in dataset.iterall():
        if element.keyword == "FrameType" and element.value:
            element.value = _derived(element.value)
    before = str(dataset.get("DerivationDescription") or "")
    dataset.DerivationDescription = "; ".join(filter(None, (before, DERIVATION)))[-DESCRIPTION_CHARACTERS:]


def _derived(kinds: str | Iterable[str]) -> list[str]:
    """Values of Image Type or Frame Type with the first one replaced; pydicom gives a single one by itself."""
    values = [kinds] if isinstance(kinds, str) else list(kinds)
    return ["DERIVED", *values[1:]]


def _add_methods(dataset: Dataset, ours: list[str]) -> None:
    before = dataset.get("DeidentificationMethod") or []
    before = [before] if isinstance(before, str) else list(before)
    dataset.DeidentificationMethod = [*(m for m in before if m not in ours), *(m[:METHOD_CHARACTERS] for m in ours)]


def _add_code(dataset: Dataset, code: tuple[str, str]) -> None:
    """Add (value, meaning) of DCM to the de-identification methods, once."""
    items = list(dataset.get("DeidentificationMethodCodeSequence") or [])
    if not any(item.get("CodeValue") == code[0] for item in items):
        item = need_pydicom().Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[0], "DCM", code[1]
        dataset.DeidentificationMethodCodeSequence = [*items, item]


def _new_meta(dataset: Dataset) -> None:
    """File meta information of a new file, which takes over only the encoding of the old one."""
    pydicom = need_pydicom()
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated:
        syntax = pydicom.uid.ExplicitVRLittleEndian
    meta = pydicom.dataset.FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
    dataset.file_meta = meta
    # Its 128 bytes may hold anything.
    dataset.preamble = bytes(128)
