"""What a detector and a recogniser found in one view, before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .recognition import Box


@dataclass(frozen=True)
class Detection:
    """A detector's box, its width and its distance from the face centre in mm, and whether it counts as the face."""

    box: Box
    width_mm: float
    offset_mm: float
    counted: bool


@dataclass(frozen=True)
class ViewResult:
    """One view: all boxes before and after, and the FaceNet distance of the face's crops, None without a face."""

    name: str
    pitch_deg: float
    yaw_deg: float
    mm_per_pixel: float
    boxes_before: tuple[Detection, ...]
    boxes_after: tuple[Detection, ...]
    distance: float | None

    @property
    def before(self) -> Detection | None:
        """The surest counted ``Detection`` before, None if there is none."""
        return surest_face(self.boxes_before)

    @property
    def after(self) -> Detection | None:
        """The surest counted ``Detection`` after, None if there is none."""
        return surest_face(self.boxes_after)


def surest_face(boxes: Iterable[Detection]) -> Detection | None:
    """The first counted one, None without any."""
    return next((b for b in boxes if b.counted), None)
