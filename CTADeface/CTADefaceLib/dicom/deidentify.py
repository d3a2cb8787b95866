"""Header de-identification, which is not ours: the Basic Profile of PS3.15 Annex E by the package dicom-anonymizer.

The package looks at the elements on top of a dataset and leaves dummy dates where the profile says remove; here each
sequence item that stays is given to it too, dates that are to go do go, and UIDs become the run's own new ones.
"""

from contextlib import suppress

from .headers import mark_headers_cleaned
from .packages import need_anonymizer

PROFILE = "dicomfields_2026c"
# The package's own dummy, the year 1, is no valid date for dciodvfy.
PACKAGE_DATE, DUMMY_DATE = "00010101", "19000101"


def remove_identity(dataset, uids):
    """Apply the profile to a ``pydicom.Dataset`` in place, with the UIDs of ``uids`` (a ``NewUids``), and say so in it.

    Call it before the header is marked as defaced. Private elements go. Raises: MissingPackages.
    """
    package = need_anonymizer()
    rules = package.initialize_actions(PROFILE) | _our_rules(package, uids)
    # File meta information is written anew.
    _apply(package, dataset, {tag: action for tag, action in rules.items() if tag[0] != 0x0002})
    for element in dataset.iterall():
        if element.VR in ("DA", "DT") and str(element.value).startswith(PACKAGE_DATE):
            element.value = str(element.value).replace(PACKAGE_DATE, DUMMY_DATE, 1)
    mark_headers_cleaned(dataset)


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


def _apply(package, dataset, rules):
    package.anonymize_dataset(dataset, rules, delete_private_tags=True, base_rules_gen=dict)
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _apply(package, item, rules)
