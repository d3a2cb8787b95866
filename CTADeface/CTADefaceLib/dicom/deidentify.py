"""Header de-identification, which is not ours: the Basic Profile of PS3.15 Annex E by the package dicom-anonymizer.

The package looks at the elements on top of a dataset and leaves dummy dates where the profile says remove; here each
sequence item that stays is given to it too, dates that are to go do go, and UIDs become the run's own new ones.
"""

from contextlib import suppress
from importlib.metadata import version

from .headers import mark_headers_cleaned
from .packages import need_anonymizer

PACKAGE, PROFILE = "dicom-anonymizer", "dicomfields_2026c"
# The package's own dummy, the year 1, is no valid date for dciodvfy.
PACKAGE_DATE, DUMMY_DATE = "00010101", "19000101"


class BasicProfile:
    """Call it with a ``pydicom.Dataset`` to apply the profile in place, and to say so, before it is marked as defaced.

    UIDs become those of ``uids`` (a ``NewUids``); private elements go. Raises: MissingPackages, when made.
    """

    def __init__(self, uids):
        self._package = need_anonymizer()
        rules = self._package.initialize_actions(PROFILE) | _our_rules(self._package, uids)
        # File meta information is written anew.
        self._rules = {tag: action for tag, action in rules.items() if tag[0] != 0x0002}

    def __call__(self, dataset):
        self._apply(dataset)
        for element in dataset.iterall():
            if element.VR in ("DA", "DT") and str(element.value).startswith(PACKAGE_DATE):
                element.value = str(element.value).replace(PACKAGE_DATE, DUMMY_DATE, 1)
        mark_headers_cleaned(dataset, f"{PACKAGE} {version(PACKAGE)}: PS3.15 Basic Profile")

    def _apply(self, dataset):
        # Tags of four numbers are ranges.
        rules = {tag: action for tag, action in self._rules.items() if len(tag) > 2 or tag in dataset}
        self._package.anonymize_dataset(dataset, rules, delete_private_tags=True, base_rules_gen=dict)
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    self._apply(item)


def _our_rules(package, uids):
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    tags = dicom_anonymization_database_selector(PROFILE)

    def new_uid(dataset, tag):
        if dataset.get(tag) is not None:
            uids.replace(dataset[tag])

    def remove(dataset, tag):
        with suppress(KeyError):
            del dataset[tag]

    # Sequences of references (X/Z/U*) stay, with new UIDs in their items.
    return ({tag: new_uid for tag in tags["U_TAGS"]} | {tag: remove for tag in tags["X_TAGS"] if len(tag) == 2}
            | {tag: package.keep for tag in tags["X_Z_U_STAR_TAGS"]})
