"""Headers of a defaced instance: what they say of how it was made, and by what method."""

from .. import __version__
from .dicom_packages import need_pydicom

FACE_REMOVED = f"CTADeface {__version__}: face removed from pixels"
ELSEWHERE_REMOVED = f"CTADeface {__version__}: private, bulk data removed"
PRIVATE_KEPT = f"CTADeface {__version__}: bulk data removed, private kept"
DERIVATION = "Face removed by CTADeface"
CLEAN_FACE = ("113102", "Clean Recognizable Visual Features Option")
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
DESCRIPTION_CHARACTERS, METHOD_CHARACTERS = 1024, 64


def methods(keep_private=False, profile=None):
    """What is done to the headers of a run, as the texts of De-identification Method: also for the record.

    ``profile`` says by what a header profile runs, if one does.
    """
    return [*filter(None, [profile]), FACE_REMOVED, PRIVATE_KEPT if keep_private else ELSEWHERE_REMOVED]


def mark_defaced(dataset, uids, keep_private=False, profile=None):
    """Turn the header of an original (``pydicom.Dataset``, changed in place) into that of its defaced instance.

    Parameters: ``uids`` the run's ``NewUids``; ``keep_private`` when private elements are still in it, of which nobody
    knows what they show; ``profile`` by what a header profile has run, only for a dataset of which that is true.
    """
    uids.replace_in(dataset)
    _mark_derived(dataset)
    _add_methods(dataset, methods(keep_private, profile))
    if keep_private:
        dataset.pop("RecognizableVisualFeatures", None)
    else:
        dataset.RecognizableVisualFeatures = "NO"
    if profile:
        _mark_profile(dataset)
    _new_meta(dataset)


def _mark_profile(dataset):
    """By PS3.15 E.3 an option is claimed together with a profile, never alone."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    _add_code(dataset, BASIC_PROFILE)
    _add_code(dataset, CLEAN_FACE)


def _mark_derived(dataset):
    kinds = list(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    dataset.ImageType = ["DERIVED", *kinds[1:]]
    for element in dataset.iterall():
        if element.keyword == "FrameType" and element.value:
            element.value = ["DERIVED", *list(element.value)[1:]]
    before = str(dataset.get("DerivationDescription") or "")
    dataset.DerivationDescription = "; ".join(filter(None, (before, DERIVATION)))[-DESCRIPTION_CHARACTERS:]


def _add_methods(dataset, ours):
    before = dataset.get("DeidentificationMethod") or []
    before = [before] if isinstance(before, str) else list(before)
    dataset.DeidentificationMethod = [*(m for m in before if m not in ours), *(m[:METHOD_CHARACTERS] for m in ours)]


def _add_code(dataset, code):
    """Add (value, meaning) of DCM to the de-identification methods, once."""
    Dataset = need_pydicom().Dataset
    items = list(dataset.get("DeidentificationMethodCodeSequence") or [])
    if not any(item.get("CodeValue") == code[0] for item in items):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[0], "DCM", code[1]
        dataset.DeidentificationMethodCodeSequence = [*items, item]


def _new_meta(dataset):
    """File meta information of a new file: nothing of the old one but how it is encoded."""
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
