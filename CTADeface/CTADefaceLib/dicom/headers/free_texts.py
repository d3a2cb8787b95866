"""Text that PS3.15 leaves in a header: what may stay there is named here, all else is emptied.

Table E.1-1 lists elements that are known to identify. It leaves free text in others (edition 2026c lists none of those
below), a hospital's own codes, and whatever was put into a wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Any

from ..reading.dicom_packages import need_pydicom
from .allowed import MUST_BE_THERE
from .dates import KINDS as DATES
from .dates import known_kinds
from .uids import NewUids
from .vouched import LONG_TEXT, NUMBERS

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pydicom.sr.codedict import Code

# Device and technique: what research needs and a machine writes. They stay as they are.
KEPT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel")
# Keyword -> (the values that stay, what replaces others): these elements are of type 1, and must not be empty.
TERMS = {
    "RescaleType": (re.compile("HU|HU_MOD|MGML|PCT|Z_EFF|ED|EDW|US"), "US"),
    "FilterType": (re.compile("STRIP|WEDGE|BUTTERFLY|MULTIPLE|FLAT|NONE|(HEAD|BODY)( FILTER)?|[0-9]"), "REMOVED"),
    "StackID": (re.compile("[0-9]{1,4}"), "1"),
}
FREE_TEXT = LONG_TEXT | {"LO", "SH", "PN", "AE", "AS"}
# Coded strings of acquisition and image stay, and these of other groups.
CODED_GROUPS = (0x0018, 0x0028)
CODED = (
    "SpecificCharacterSet",
    "ImageType",
    "FrameType",
    "Modality",
    "PixelPresentation",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
    "Laterality",
    "ImageLaterality",
    "FrameLaterality",
    "PatientOrientation",
    "DimensionOrganizationType",
    "PresentationLUTShape",
    "SpatialLocationsPreserved",
)
PATIENT_GROUP = 0x0010
LEGAL_CODED = re.compile("[A-Z0-9_ ]{1,16}")
LEGAL_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(E[-+]?\d+)?", re.IGNORECASE)
LEGAL_CHARACTER_SET = re.compile("ISO[ _](IR|2022 IR) [0-9]{1,3}|GB18030|GBK")
# The standard's context groups give each of their codes a meaning; any other code may name anything.
CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
CODE_DETAILS = (
    "LongCodeValue",
    "URNCodeValue",
    "CodingSchemeVersion",
    "ContextIdentifier",
    "ContextUID",
    "MappingResource",
    "MappingResourceUID",
    "MappingResourceName",
    "ContextGroupVersion",
    "ContextGroupLocalVersion",
    "ContextGroupExtensionFlag",
    "ContextGroupExtensionCreatorUID",
    "EquivalentCodeSequence",
)
REMOVED_CODE = ("0", "99REMOVED", "Removed")


def clean_texts(dataset: Dataset, uids: NewUids, dummies: Collection[str], keep_dates: bool = False) -> None:
    """Remove, in place and at every depth, text that is not named above; UIDs become those of ``uids``.

    ``dummies``: the values that the header profile has put in place of others; ``keep_dates``: dates and times are those
    that it wanted to stay. Elements that CT images must have are emptied instead.
    """
    if any(keyword in dataset for keyword in (*CODE, "LongCodeValue", "URNCodeValue")):
        _clean_code(dataset)
    for element in list(dataset):
        if element.VR == "SQ":
            for item in element.value:
                clean_texts(item, uids, dummies, keep_dates)
        elif element.VR == "UI":
            _replace_uids(element, uids)
        elif element.value not in (None, "") and not _is_dummy(element, dummies) and not (keep_dates and element.VR in DATES):
            _clean(dataset, element, _cleaned(element))


def _clean(dataset: Dataset, element: DataElement, value: Any) -> None:
    if value is None and element.keyword not in MUST_BE_THERE:
        del dataset[element.tag]
    elif value is not element.value:  # unchanged ones are not set, because pydicom would refuse sloppy numbers
        kinds = known_kinds(element) or [element.VR]
        dataset.add_new(element.tag, element.VR if element.VR in kinds else kinds[0], value)


def _is_dummy(element: DataElement, dummies: Collection[str]) -> bool:
    return isinstance(element.value, str) and element.value in dummies


def _cleaned(element: DataElement) -> Any:
    """The value that an element, which is no sequence, keeps; None if it keeps none."""
    keyword, values = element.keyword, [str(v) for v in (element.value if element.VM > 1 else [element.value])]
    if keyword in TERMS:
        allowed, otherwise = TERMS[keyword]
        return element.value if all(map(allowed.fullmatch, values)) else otherwise
    if element.tag.group == PATIENT_GROUP and element.VR in NUMBERS | {"DS", "IS"}:
        # The profile removes size and weight, and leaves the body mass index and the body's measures.
        return None
    # Software mixes up kinds of text: free text that a file calls coded is free text.
    kinds = {element.VR, *known_kinds(element)}
    if kinds & (DATES | FREE_TEXT):
        return element.value if keyword in KEPT or keyword in CODE else None
    if "CS" in kinds:
        if element.tag.group not in CODED_GROUPS and keyword not in CODED:
            return None
        legal = LEGAL_CHARACTER_SET if keyword == "SpecificCharacterSet" else LEGAL_CODED
        stay = [value if legal.fullmatch(value) else "" for value in values]
        return element.value if stay == values else stay if any(stay) else None
    if element.VR in ("DS", "IS"):
        return element.value if all(LEGAL_NUMBER.fullmatch(value.strip()) for value in values) else None
    return element.value


def _replace_uids(element: DataElement, uids: NewUids) -> None:
    """Replace UIDs: each one that is not the standard's own names something in this hospital."""
    from pydicom.uid import UID_dictionary

    values = list(element.value) if element.VM > 1 else [element.value]
    if any(value and value not in UID_dictionary for value in values):
        new = [value if value in UID_dictionary else uids(value) for value in values if value]
        element.value = new if len(new) > 1 else new[0]


def _clean_code(item: Dataset) -> None:
    from pydicom.datadict import dictionary_VR
    from pydicom.sr.codedict import Code

    value, scheme = (str(item.get(keyword) or "") for keyword in CODE[:2])
    meaning = _meanings().get(Code(value, scheme, ""))
    for keyword in CODE_DETAILS:
        item.pop(keyword, None)
    for keyword, text in zip(CODE, (value, scheme, meaning) if meaning else REMOVED_CODE):
        # In place of the element, which a file may have written as a number.
        item.add_new(keyword, dictionary_VR(keyword), text)


@cache
def _meanings() -> dict[Code, str]:
    """Code -> its meaning in the standard's context groups."""
    need_pydicom()
    from pydicom.sr.codedict import codes

    meanings: dict[Code, str] = {}
    for scheme in map(codes.__getattr__, codes.schemes()):
        for name in scheme.dir():
            try:
                code = getattr(scheme, name)
            except RuntimeError:  # a name of several codes
                continue
            meanings.setdefault(code, code.meaning)
    return meanings
