"""One mask for a study: the series that it is made on, those that it is applied to, and those left out, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .reading.series import Series
from .reading.series_kinds import CT, DEFACEABLE, REDRAWS_FACE
from .reading.stack import Stack, stack_of

# More coverage or finer slices than this give no better mask.
ENOUGH_EXTENT_MM, ENOUGH_FIELD_MM, FINE_MM = 180.0, 220.0, 1.0


@dataclass
class Plan:
    """``candidates`` for the mask, the best first; ``stacks`` number -> ``Stack`` of every series that makes a volume;
    ``problems`` number -> why a CT series does not."""

    candidates: list[Series]
    stacks: dict[int, Stack]
    problems: dict[int, str]


def plan_study(series: list[Series], wanted: str | int | None = None) -> Plan:
    """``Plan`` for the ``Series`` of a source; ``wanted`` (UID or number) is the one that the mask is to be made on.

    Raises: InputError when there is no such series, none that can be defaced (with the reasons), or CTs of several studies.
    """
    _require_one_study(series)
    chosen = _wanted(series, wanted) if wanted is not None else None
    stacks: dict[int, Stack] = {}
    problems: dict[int, str] = {}
    for one in series:
        if one.kind in DEFACEABLE:
            try:
                stacks[one.number] = stack_of(one)
            except InputError as error:
                problems[one.number] = str(error)
    candidates = sorted((s for s in series if s.number in stacks), key=lambda s: _merit(s, stacks[s.number]))[::-1]
    if chosen is not None:
        if chosen.number not in stacks:
            raise InputError(
                problems.get(chosen.number)
                or f"{chosen.label}: only CT slices can be defaced; choose another series (cta-deface series lists them)."
            )
        candidates = [chosen]
    if not candidates:
        raise InputError(
            " ".join(problems.values())
            or "No CT series was found: "
            + ", ".join(f"{s.label}{' ' + s.problem if s.problem else ''}" for s in series)
            + "; give the folder of a head CT."
        )
    return Plan(candidates, stacks, problems)


def _require_one_study(series: list[Series]) -> None:
    """Refuse several studies: one mask is made, and another patient's series would be left out of a run that succeeds."""
    first: dict[str, int] = {}
    for one in series:
        if one.kind in DEFACEABLE:
            first.setdefault(one.study, one.number)
    if len(first) > 1:
        raise InputError(
            f"CT series of {len(first)} studies lie here (they begin at series "
            f"{', '.join(map(str, first.values()))}); give the files of one study at a time, or use "
            "cta-deface batch, which takes studies apart."
        )


def _wanted(series: list[Series], wanted: str | int) -> Series:
    hits = [s for s in series if str(wanted) in (s.uid, str(s.number))]
    if len(hits) > 1:
        hits = [s for s in hits if s.kind in DEFACEABLE] or hits
    if not hits:
        raise InputError(f"--series {wanted}: no such series; cta-deface series lists their numbers and UIDs.")
    if len(hits) > 1:
        raise InputError(
            f"--series {wanted}: means {len(hits)} stacks of slices; "
            f"give one of the numbers {', '.join(str(s.number) for s in hits)}."
        )
    return hits[0]


def _merit(series: Series, stack: Stack) -> tuple:
    """A sort key, how well a face mask can be made on a series: acquired, not derived; the whole head; fine slices."""
    extent = min(float(np.ptp(stack.heights)), ENOUGH_EXTENT_MM)
    rows_mm, columns_mm = stack.pixel_mm
    across = min(stack.rows * rows_mm, stack.columns * columns_mm, ENOUGH_FIELD_MM)
    step = extent / (len(stack.planes) - 1)
    return series.kind == CT, round(extent * across, -3), -max(step, FINE_MM), len(stack.planes), -series.number


def shared_frame(one: Series, other: Series) -> bool:
    """Do two series of a study lie in one frame of reference, so that a mask of one fits the other?"""
    return one.number == other.number or (
        one.frame_of_reference is not None and one.frame_of_reference == other.frame_of_reference
    )


def why_left_out(series: Series, chosen: Series, plan: Plan) -> str | None:
    """The reason why a series gets no defaced copy, or None when it gets one."""
    if series.kind not in DEFACEABLE:
        return series.problem or f"only CT slices can be defaced, this is {series.kind}"
    if not shared_frame(series, chosen):
        return f"another frame of reference than the mask's; run again with --series {series.number}"
    return None


def redraw_warning(series: list[Series]) -> str | None:
    """One sentence about what else in the study shows the face, or None."""
    risky = [s for s in series if s.kind in REDRAWS_FACE]
    if not risky:
        return None
    return (
        f"{', '.join(s.label for s in risky)}: contours and doses of the body redraw the face; "
        "they were not copied: do not give them away with the defaced series."
    )
