"""Only elements that can be vouched for stay beside the pixels, so that none can hold a picture or a contour.

An element stays when the standard's dictionary knows it, it has the dictionary's kind, and it is short; the meaning of its
values does not matter. ``allowed`` names the sequences, and the elements with any count of numbers, that a CT needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..reading.dicom_packages import need_pydicom
from .allowed import FRAME_GROUPS, MANY_NUMBERS, MUST_BE_THERE, NEVER, REFERENCES, SEQUENCES
from .uids import OF_INSTANCES

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pydicom.tag import BaseTag

PIXEL_DATA = 0x7FE00010
NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
SHORT_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UI"})
LONG_TEXT = frozenset({"LT", "ST", "UC", "UT"})
TEXT = SHORT_TEXT | LONG_TEXT
# Command sets, file meta information and directories are no part of a dataset.
FIRST_GROUP = 0x0008
CURVES, OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)
# The most that one element or one sequence may hold: more than CTs use, less than a picture needs.
MOST_CHARACTERS, MOST_VALUES, MOST_IN_SEQUENCE = 1024, 16, 4096
BYTES_OF_A_NUMBER = 8


def remove_unvouched(dataset: Dataset, keep_private: bool = False) -> None:
    """Remove from a ``pydicom.Dataset``, in place and at every depth, what could hold the face in another form.

    ``keep_private``: private elements stay as they are, whatever they hold. What cannot be decoded is removed, too.
    """
    _clean(dataset, keep_private, top=True, in_frames=False)


def _clean(dataset: Dataset, keep_private: bool, top: bool, in_frames: bool) -> None:
    for tag in list(dataset.keys()):
        if tag.is_private:
            if not keep_private:
                del dataset[tag]
        elif tag != PIXEL_DATA or not top:
            _clean_standard(dataset, tag, keep_private, in_frames)


def _clean_standard(dataset: Dataset, tag: BaseTag, keep_private: bool, in_frames: bool) -> None:
    allowed = _allowed(int(tag))
    if allowed is None:
        del dataset[tag]
    elif "SQ" in allowed.kind:
        if not _sequence_stays(dataset, tag, allowed.keyword, keep_private, in_frames):
            del dataset[tag]
    elif not _value_stays(dataset, tag, allowed, in_frames):
        del dataset[tag]
        if allowed.keyword in MUST_BE_THERE:
            dataset.add_new(tag, allowed.vr, None)


def _value_stays(dataset: Dataset, tag: BaseTag, allowed: Allowed, in_frames: bool) -> bool:
    try:
        element = dataset[tag]
        vr, count = element.VR.partition(" or ")[0], element.VM
    except Exception:  # pydicom raises many kinds for values that are none
        return False
    if vr not in allowed.kind or (in_frames and vr in LONG_TEXT):
        return False
    if isinstance(element.value, bytes):  # numbers, while the file does not say whether they are signed
        count = len(element.value) // 2
    return count <= MOST_VALUES and (vr in NUMBERS or _characters(element) <= MOST_CHARACTERS)


@dataclass(frozen=True)
class Allowed:
    """An element that may stay in one of the value representations ``kind``; ``vr`` is the dictionary's first."""

    keyword: str
    vr: str
    kind: frozenset[str]


@lru_cache(maxsize=4096)
def _allowed(tag: int) -> Allowed | None:
    """``Allowed``, or None for an element that is always removed."""
    need_pydicom()
    from pydicom.datadict import get_entry

    group = tag >> 16
    try:
        vr, multiplicity, _name, _retired, keyword = get_entry(tag)
    except KeyError:
        return None
    if group < FIRST_GROUP or group in CURVES or group in OVERLAYS or keyword in NEVER:
        return None
    kinds = frozenset(vr.split(" or "))
    own = vr.partition(" or ")[0]
    if own == "SQ":
        return Allowed(keyword, own, kinds) if keyword in SEQUENCES else None
    if multiplicity.endswith("n") and kinds <= NUMBERS | {"DS", "IS"} and keyword not in MANY_NUMBERS:
        return None
    if own == "UI":
        # In another representation, the run's new UIDs would not replace it.
        return Allowed(keyword, own, kinds)
    # Old software mixes up the representations of text, and those of numbers.
    kind = next((kind for kind in (NUMBERS, TEXT) if kinds <= kind), None)
    return Allowed(keyword, own, kind) if kind else None


def _sequence_stays(dataset: Dataset, tag: BaseTag, keyword: str, keep_private: bool, in_frames: bool) -> bool:
    try:
        element = dataset[tag]
    except Exception:  # as above
        return False
    if element.VR != "SQ":
        return False
    frames, empty = keyword in FRAME_GROUPS, not any(len(item) for item in element.value)
    for item in element.value:
        _clean(item, keep_private, False, in_frames or frames)
    if keyword in REFERENCES and _size(element.value) > MOST_IN_SEQUENCE:
        # One item per slice, each with the same words: the UIDs that are referred to are enough.
        for item in element.value:
            _keep_uids(item)
    if not empty and not any(len(item) for item in element.value):
        return False
    return frames or _size(element.value) <= MOST_IN_SEQUENCE


def _keep_uids(dataset: Dataset) -> None:
    for element in list(dataset):
        if element.VR == "SQ" and element.keyword in REFERENCES:
            for item in element.value:
                _keep_uids(item)
        elif element.VR != "UI" and not element.tag.is_private:
            del dataset[element.tag]


def _size(items: Iterable[Dataset]) -> int:
    """Characters or bytes that sequence items hold, without UIDs that the run replaces or the standard names."""
    size = 0
    for item in items:
        for element in item:
            if element.tag.is_private:
                continue
            if element.VR == "SQ":
                size += _size(element.value)
            elif element.VR == "UI":
                size += 0 if element.keyword in OF_INSTANCES else _unknown_uids(element)
            else:
                size += _characters(element) if element.VR in TEXT else BYTES_OF_A_NUMBER * element.VM
    return size


def _unknown_uids(element: DataElement) -> int:
    from pydicom.uid import UID_dictionary

    return sum(len(uid) for uid in _values(element) if uid not in UID_dictionary)


def _characters(element: DataElement) -> int:
    return sum(len(str(value)) for value in _values(element))


def _values(element: DataElement) -> list:
    """The values of an element as a list."""
    if element.value is None:
        return []
    return list(element.value) if element.VM > 1 else [element.value]
