"""From the views to one verdict.

The limits of the distance were measured on originals of 25 training heads (the pictures of ``views``, the crops of
``recognition``): how unlike are two pictures of the same head in neighbouring views, 10 or 15 degrees apart, and two heads
in the same view? They overlap, so a distance says less than a detection. Photographs have higher limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .view_result import ViewResult

# The median distance of two views of the same head; 8 % of the distances of different heads are below.
SAME_HEAD = 0.66
# Below are 72 % of the distances within the same head, and 17 % of those between different heads.
LIKE_SAME_HEAD = 0.75
# One box in twelve views is no detection to rely on.
LEAST_VIEWS = 2

AFTER, BEFORE, DISTANCE = "views with a face after", "views with a face before", "median distance"
VERDICTS = ("pass", "warn", "fail", "not possible")


def judge(views: Sequence[ViewResult]) -> tuple[str, str, str, float | None]:
    """(verdict, one sentence why, name of the number that it rests on, that number or None) of ``ViewResult``s."""
    before, after = (
        sum(face is not None for face in faces) for faces in ([view.before for view in views], [view.after for view in views])
    )
    counted = f"the face is detected in {before} of {len(views)} views before and {after} after"
    if after and not before:
        return (
            "fail",
            f"{counted}: defacing did not hide it, or the original and the defaced volume are swapped.",
            "views with a face after",
            after,
        )
    if after and after >= before:
        return "fail", f"{counted}: defacing did not hide it.", AFTER, after
    if before < LEAST_VIEWS:
        return (
            "not possible",
            f"{counted}: too few of the original to compare with (at least {LEAST_VIEWS}).",
            BEFORE,
            before,
        )
    apart = median(view.distance for view in views if view.distance is not None)
    likeness = f"median FaceNet distance {apart:.2f}"
    if apart < SAME_HEAD:
        return (
            "fail",
            f"{likeness}, below {SAME_HEAD}: the defaced head is as much like the original as the same "
            "face is from another view.",
            DISTANCE,
            apart,
        )
    if apart < LIKE_SAME_HEAD:
        return (
            "warn",
            f"{likeness}, below {LIKE_SAME_HEAD}: the defaced head is more like the original than most other heads are.",
            DISTANCE,
            apart,
        )
    if after:
        return "warn", f"{counted}, {likeness}.", AFTER, after
    return "pass", f"{counted}, and {likeness} is that of different heads.", DISTANCE, apart


def limit_of(number_name: str, before: int) -> str | None:
    """From where on a number of ``judge`` warns and fails; ``before`` is the number of views with a face before."""
    return {
        AFTER: f"warns above 0, fails from {before} on",
        DISTANCE: f"warns below {LIKE_SAME_HEAD}, fails below {SAME_HEAD}",
    }.get(number_name)
