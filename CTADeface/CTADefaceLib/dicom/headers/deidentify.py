"""Header de-identification: the Basic Profile of PS3.15 Annex E by the package dicom-anonymizer, then what it leaves.

The package looks only at the top elements of a dataset, and leaves dummy dates where the profile says remove. Here it is
also given each sequence item that stays, dates that are to be removed are removed, or moved where that is wanted, UIDs become
the run's new ones, and the patient gets a pseudonym.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

from ... import __version__
from ..reading.dicom_packages import need_anonymizer
from .dates import KINDS, moved
from .free_texts import clean_texts
from .pseudonym import Pseudonym
from .uids import NewUids

if TYPE_CHECKING:
    from pydicom import Dataset

# What is done to an element: (dataset, tag).
Action = Callable[["Dataset", tuple[int, int]], None]
# By tag, which is (group, element), or four numbers for a range of tags.
Rules = dict[tuple[int, ...], Action]
PACKAGE, PROFILE = "dicom-anonymizer", "dicomfields_2026c"
# The package's own dummy, the year 1, is no valid date for dciodvfy.
PACKAGE_DATE, DUMMY_DATE = "00010101", "19000101"
PACKAGE_DUMMIES = ("ANONYMIZED", PACKAGE_DATE, f"{PACKAGE_DATE}010101.000000+0000", "000000.00", "000Y")
# What an earlier tool said about its work is free text, and no longer complete.
EARLIER = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
# The one sequence of X/Z that CT images may have to hold; it may then be without items.
MAY_BE_EMPTY = "AcquisitionContextSequence"
KEYED = f"CTADeface {__version__}: keyed pseudonym of the patient"
MOVED = f"CTADeface {__version__}: dates moved by the patient's days"


class BasicProfile:
    """Call it with a ``pydicom.Dataset`` to apply the profile in place; ``methods`` name what it does.

    UIDs become those of ``uids`` (a ``NewUids``); private elements go. ID and name become those of ``pseudonym``, and the
    birth date is empty; None leaves all three as the package does. It also says whether dates are moved (``moves_dates``).
    Raises: MissingPackages, when made.
    """

    def __init__(self, uids: NewUids, pseudonym: Pseudonym | None = None) -> None:
        self._package, self._uids, self._pseudonym = need_anonymizer(), uids, pseudonym
        rules = self._package.initialize_actions(PROFILE) | _our_rules(self._package, uids)
        # File meta information is written anew.
        self._rules = {tag: action for tag, action in rules.items() if tag[0] != 0x0002}
        self._days = None if pseudonym is None else pseudonym.days
        self.moves_dates = self._days is not None
        self.methods = [f"{PACKAGE} {version(PACKAGE)}: PS3.15 Basic Profile"]
        self.methods += [KEYED] * (pseudonym is not None) + [MOVED] * self.moves_dates

    def __call__(self, dataset: Dataset) -> None:
        for keyword in EARLIER:
            dataset.pop(keyword, None)
        self._apply(dataset)
        clean_texts(dataset, self._uids, PACKAGE_DUMMIES, keep_dates=self.moves_dates)
        for element in dataset.iterall():
            if element.VR in ("DA", "DT") and str(element.value).startswith(PACKAGE_DATE):
                element.value = str(element.value).replace(PACKAGE_DATE, DUMMY_DATE, 1)
        if self._pseudonym is not None:
            # In place of the element, which old software may have written as another kind of text.
            dataset.add_new("PatientID", "LO", self._pseudonym.text)
            dataset.add_new("PatientName", "PN", self._pseudonym.text)
            # Archives would take a dummy for a fact that all these patients share.
            dataset.add_new("PatientBirthDate", "DA", "")

    def _apply(self, dataset: Dataset) -> None:
        rules = {tag: action for tag, action in self._rules.items() if len(tag) > 2 or tag in dataset}
        if self._days is not None:
            rules |= _moving(dataset, rules, self._days)
        self._package.anonymize_dataset(dataset, rules, delete_private_tags=True, base_rules_gen=dict)
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    self._apply(item)


def _moving(dataset: Dataset, rules: Rules, days: int) -> Rules:
    """Rules for all dates and times of a dataset, which fall back on ``rules`` for those that must not stay."""

    def moving(otherwise: Action) -> Action:
        def move(dataset: Dataset, tag: tuple[int, int]) -> None:
            value = moved(dataset[tag], days)
            if value is None:
                otherwise(dataset, tag)
            else:
                dataset[tag].value = value

        return move

    dates = ((element.tag.group, element.tag.element) for element in dataset if element.VR in KINDS)
    return {tag: moving(rules.get(tag, _remove)) for tag in dates}


def _remove(dataset: Dataset, tag: tuple[int, int]) -> None:
    with suppress(KeyError):
        del dataset[tag]


def _our_rules(package: ModuleType, uids: NewUids) -> Rules:
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    tags = dicom_anonymization_database_selector(PROFILE)

    def new_uid(dataset: Dataset, tag: tuple[int, int]) -> None:
        if dataset.get(tag) is not None:
            uids.replace(dataset[tag])

    def empty(dataset: Dataset, tag: tuple[int, int]) -> None:
        if dataset[tag].VR != "SQ":
            package.empty(dataset, tag)
        elif dataset[tag].keyword == MAY_BE_EMPTY:
            dataset[tag].value = []
        else:
            # The package would leave items of empty elements, some of which must not be empty.
            _remove(dataset, tag)

    # Sequences of references (X/Z/U*) stay, with new UIDs in their items.
    return (
        {tag: new_uid for tag in tags["U_TAGS"]}
        | {tag: _remove for tag in tags["X_TAGS"] if len(tag) == 2}
        | {tag: empty for tag in tags["X_Z_TAGS"]}
        | {tag: package.keep for tag in tags["X_Z_U_STAR_TAGS"]}
    )
