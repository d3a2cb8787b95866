"""The small pictures beside steps and checks: they differ in shape, not only in colour, and suit light and dark windows."""

import qt

from ...checks.check import FAIL, PASS, SKIP, WARN
from ...files.resources import resource
from .case_steps import CURRENT, DONE, FAILED, TO_DO

NAMES = {
    DONE: "Done",
    CURRENT: "Current",
    TO_DO: "ToDo",
    FAILED: "Failed",
    PASS: "Done",
    WARN: "Warning",
    FAIL: "Failed",
    SKIP: "Skipped",
}


def mark(state):
    """The icon of a step's state or of a check's verdict."""
    return qt.QIcon(str(resource(f"Icons/Mark{NAMES[state]}.svg")))
