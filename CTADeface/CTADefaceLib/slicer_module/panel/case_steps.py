"""Where a case stands on its way from a scan to an export, and what to do next; nothing of Qt or of the scene."""

from dataclasses import dataclass

from ..texts import _

MASK, LOOK, FILL, CHECK, EXPORT = STEPS = ("mask", "look", "fill", "check", "export")
DONE, CURRENT, TO_DO, FAILED = "done", "current", "to do", "failed"


@dataclass(frozen=True)
class Standing:
    """What is true of a case: is there a ``volume``; is work ``running``; has the mask (``drawn``, perhaps empty) voxels
    (``mask``), and has a person ``looked`` at it; are the fill, the checks and the export those of the present mask.
    ``failed`` and ``warned`` count checks, without those overridden."""

    volume: bool = False
    running: bool = False
    drawn: bool = False
    mask: bool = False
    looked: bool = False
    filled: bool = False
    checked: bool = False
    failed: int = 0
    warned: int = 0
    exported: bool = False


def current_step(case: Standing) -> str | None:
    """The step that waits for the person, None when there is nothing to do (or nothing to begin with)."""
    if not case.volume or case.exported:
        return None
    if case.failed:
        return CHECK
    return next((step for step, done in _done(case).items() if not done), None)


def step_states(case: Standing) -> dict[str, str]:
    """Step -> 'done', 'current', 'to do' or 'failed'."""
    states = {step: DONE if done else TO_DO for step, done in _done(case).items()}
    step = current_step(case)
    if step is not None:
        states[step] = FAILED if step == CHECK and case.failed else CURRENT
    return states


def next_action(case: Standing) -> str:
    """One sentence: what the person does next."""
    if not case.volume:
        return _("Load a head CT and choose it as volume.")
    if case.running:
        return _("Wait for the mask, or press Cancel.")
    if case.exported:
        return _("Exported. What was written is linked below; choose the next volume.")
    if case.failed:
        return _("Failed checks: {count}. Correct the mask, or override each with a reason.").format(count=case.failed)
    if case.mask and case.looked and case.checked and case.filled and case.warned:
        return _("Checks that warn: {count}. Look at each of them, then export.").format(count=case.warned)
    return {
        MASK: _("The mask is empty: draw the face.") if case.drawn else _("Press Deface, or make the mask step by step."),
        LOOK: _look(case),
        FILL: _("Apply the fill."),
        CHECK: _("Check what would be exported."),
        EXPORT: _("Export the defaced volume."),
    }[current_step(case) or EXPORT]


def _look(case: Standing) -> str:
    if not case.warned:
        return _("Look at the mask in the slices and in the preview; correct it where it misses the face.")
    return _("Look at the checks that warn ({count}), and at the mask in slices and preview; correct it where needed.").format(
        count=case.warned
    )


def _done(case: Standing) -> dict[str, bool]:
    return {
        MASK: case.mask,
        LOOK: case.mask and case.looked,
        FILL: case.mask and case.filled,
        CHECK: case.mask and case.checked and not case.failed,
        EXPORT: case.exported,
    }
