"""Header de-identification: the Basic Profile of PS3.15 Annex E by the package dicom-anonymizer, then what it leaves.

The package looks only at the top elements of a dataset, and leaves dummy dates where the profile says remove. Here it is
also given each sequence item that stays, dates that are to be removed are removed, and UIDs become the run's new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

from .dicom_packages import need_anonymizer
from .free_texts import clean_texts
from .uids import NewUids

if TYPE_CHECKING:
    from pydicom import Dataset

# Tag -> what is done to its element; a tag is (group, element), or four numbers for a range of tags.
Rules = dict[tuple[int, ...], Callable[["Dataset", tuple[int, int]], None]]
PACKAGE, PROFILE = "dicom-anonymizer", "dicomfields_2026c"
# The package's own dummy, the year 1, is no valid date for dciodvfy.
PACKAGE_DATE, DUMMY_DATE = "00010101", "19000101"
PACKAGE_DUMMIES = ("ANONYMIZED", PACKAGE_DATE, f"{PACKAGE_DATE}010101.000000+0000", "000000.00", "000Y")
# What an earlier tool said about its work is free text, and no longer complete.
EARLIER = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")


class BasicProfile:
    """Call it with a ``pydicom.Dataset`` to apply the profile in place; ``method`` names it.

    UIDs become those of ``uids`` (a ``NewUids``); private elements go. Raises: MissingPackages, when made.
    """

    def __init__(self, uids: NewUids) -> None:
        self._package, self._uids = need_anonymizer(), uids
        rules = self._package.initialize_actions(PROFILE) | _our_rules(self._package, uids)
        # File meta information is written anew.
        self._rules = {tag: action for tag, action in rules.items() if tag[0] != 0x0002}
        self.method = f"{PACKAGE} {version(PACKAGE)}: PS3.15 Basic Profile"

    def __call__(self, dataset: Dataset) -> None:
        for keyword in EARLIER:
            dataset.pop(keyword, None)
        self._apply(dataset)
        clean_texts(dataset, self._uids, PACKAGE_DUMMIES)
        for element in dataset.iterall():
            if element.VR in ("DA", "DT") and str(element.value).startswith(PACKAGE_DATE):
                element.value = str(element.value).replace(PACKAGE_DATE, DUMMY_DATE, 1)

    def _apply(self, dataset: Dataset) -> None:
        rules = {tag: action for tag, action in self._rules.items() if len(tag) > 2 or tag in dataset}
        self._package.anonymize_dataset(dataset, rules, delete_private_tags=True, base_rules_gen=dict)
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    self._apply(item)


def _our_rules(package: ModuleType, uids: NewUids) -> Rules:
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    tags = dicom_anonymization_database_selector(PROFILE)

    def new_uid(dataset: Dataset, tag: tuple[int, int]) -> None:
        if dataset.get(tag) is not None:
            uids.replace(dataset[tag])

    def remove(dataset: Dataset, tag: tuple[int, int]) -> None:
        with suppress(KeyError):
            del dataset[tag]

    # Sequences of references (X/Z/U*) stay, with new UIDs in their items.
    return (
        {tag: new_uid for tag in tags["U_TAGS"]}
        | {tag: remove for tag in tags["X_TAGS"] if len(tag) == 2}
        | {tag: package.keep for tag in tags["X_Z_U_STAR_TAGS"]}
    )
