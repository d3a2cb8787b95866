"""Headers of a defaced instance: what says that it is defaced, and nothing left that shows the face elsewhere."""

from .. import __version__
from .packages import need_pydicom

METHOD = f"CTADeface {__version__}: face removed from pixels"
DERIVATION = "Face removed by CTADeface"
CLEAN_FACE = ("113102", "Clean Recognizable Visual Features Option")
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
# Longer private binaries may be pictures, in a form that nobody else knows.
LARGEST_PRIVATE_BYTES = 256
BINARY = {"OB", "OW", "OF", "OD", "OL", "OV", "UN", "OB or OW"}
# Pictures of the same slice, where to fetch its original, signatures that no longer hold, and its old extremes.
DROPPED = ("IconImageSequence", "PixelDataProviderURL", "DigitalSignaturesSequence", "MACParametersSequence",
           "SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries",
           "LargestPixelValueInSeries", "DataSetTrailingPadding", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
NESTED_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
DESCRIPTION_CHARACTERS, METHOD_CHARACTERS = 1024, 64


def mark_defaced(dataset, uids):
    """Turn the header of an original (``pydicom.Dataset``, changed in place) into that of its defaced instance.

    ``uids``: the run's ``NewUids``. Everything not named here stays as it was.
    """
    drop_pictures(dataset)
    uids.replace_in(dataset)
    _mark_derived(dataset)
    _mark_method(dataset)
    _new_meta(dataset)


def mark_headers_cleaned(dataset, method):
    """Say that a header profile ran, and by what ``method``; only for a dataset of which that is true."""
    dataset.PatientIdentityRemoved = "YES"
    _add_method(dataset, method)
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    _add_code(dataset, BASIC_PROFILE)


def drop_pictures(dataset, top=True):
    """Remove icons, overlays, curves, pixels in sequences, private binaries that may be pictures, at every depth."""
    for element in list(dataset):
        tag = element.tag
        repeating = 0x5000 <= tag.group <= 0x501E or 0x6000 <= tag.group <= 0x601E
        if element.keyword in DROPPED or repeating or (not top and element.keyword in NESTED_PIXELS) or (
                tag.is_private and _may_be_picture(element)):
            del dataset[tag]
        elif element.VR == "SQ":
            for item in element.value:
                drop_pictures(item, top=False)


def _may_be_picture(element):
    if element.VR == "SQ":
        return any(e.keyword in NESTED_PIXELS or _may_be_picture(e) for item in element.value for e in item)
    return element.VR in BINARY and element.value is not None and len(element.value) > LARGEST_PRIVATE_BYTES


def _mark_derived(dataset):
    kinds = list(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    dataset.ImageType = ["DERIVED", *kinds[1:]]
    for element in dataset.iterall():
        if element.keyword == "FrameType" and element.value:
            element.value = ["DERIVED", *list(element.value)[1:]]
    before = str(dataset.get("DerivationDescription") or "")
    dataset.DerivationDescription = "; ".join(filter(None, (before, DERIVATION)))[-DESCRIPTION_CHARACTERS:]


def _add_method(dataset, method):
    methods = dataset.get("DeidentificationMethod") or []
    methods = [methods] if isinstance(methods, str) else list(methods)
    dataset.DeidentificationMethod = [m for m in methods if m != method] + [method[:METHOD_CHARACTERS]]


def _mark_method(dataset):
    _add_method(dataset, METHOD)
    _add_code(dataset, CLEAN_FACE)
    dataset.RecognizableVisualFeatures = "NO"


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
