"""Face detection and identity distance on pictures of a head before and after defacing.

The method of Mahmutoglu et al. (Eur Radiol Exp 2024;8:111): MTCNN and FaceNet on CT-Muscle renderings; here from
several views, and with boxes of the size and place of the face only (see ``views``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from ..checks.check import SKIP, Check
from ..errors import InputError
from ..progress import Progress, StageProgress
from ..rendering.camera import View, tissue_focus
from ..voxels.volume import Geometry
from .measured import measured, method_sentence
from .recognition import Box, Detector, Embedder, distance
from .verdict import judge, limit_of
from .view_result import Detection, ViewResult, surest_face
from .views import VIEWS, Frame, box_mm, counts, draw_views, face_centre, frame

# For a ``Progress`` of this check alone.
STAGES = {"identity": 1.0}
# Fractions of the check at which the pictures before and the pictures after are drawn.
SHARES = (0.4, 0.8)


@dataclass(frozen=True)
class IdentityResult:
    """``verdict`` 'pass', 'warn', 'fail' or 'not possible', one sentence why, and the number that it rests on."""

    verdict: str
    reason: str
    number_name: str
    number: float | None
    views: tuple[ViewResult, ...]

    @property
    def detected_before(self) -> int:
        """Number of views of the original in which the face was found."""
        return sum(view.before is not None for view in self.views)

    @property
    def detected_after(self) -> int:
        """Number of views of the defaced volume in which a face was found."""
        return sum(view.after is not None for view in self.views)

    @property
    def distances(self) -> list[float]:
        """FaceNet distances of the views that have one."""
        return [view.distance for view in self.views if view.distance is not None]

    @property
    def method(self) -> str:
        """What is known of the method beside this case: rank-1 and AUC, as measured, in one sentence."""
        return method_sentence(measured())

    def as_dict(self) -> dict:
        """All of it for JSON: no paths, no pictures."""
        number, distances = len(self.views), self.distances
        combined = {
            "views": number,
            "detected_before": self.detected_before,
            "detected_after": self.detected_after,
            "rate_before": self.detected_before / number,
            "rate_after": self.detected_after / number,
            "distances": len(distances),
            "median_distance": median(distances) if distances else None,
            "least_distance": min(distances) if distances else None,
        }
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "number_name": self.number_name,
            "number": self.number,
            "method": self.method,
            "combined": combined,
            "views": [_view_dict(view) for view in self.views],
        }

    def as_check(self) -> Check:
        """The verdict as one more ``Check`` of a case; 'not possible' is not applicable."""
        verdict = SKIP if self.verdict == "not possible" else self.verdict
        limit = limit_of(self.number_name, self.detected_before)
        return Check("identity", verdict, self.number, self.number_name, f"{self.reason} {self.method}", limit=limit)


def _view_dict(view: ViewResult) -> dict:
    return asdict(view) | {"detected_before": view.before is not None, "detected_after": view.after is not None}


def identity_check(
    before_hu: np.ndarray,
    after_hu: np.ndarray,
    face_mask: np.ndarray,
    geometry: Geometry,
    progress: StageProgress | None = None,
    on_view: Callable[[ViewResult, np.ndarray, np.ndarray], object] = lambda view, before, after: None,
) -> IdentityResult:
    """Is the face still detected, and the person still recognised, in the defaced volume?

    Parameters: ``before_hu``, ``after_hu`` arrays (k, j, i) in HU and ``face_mask`` (k, j, i), non-zero = face, all on
    the grid ``geometry`` (``Geometry``); ``progress`` a ``Progress`` (made with ``STAGES`` for a fraction);
    ``on_view`` is called with each ``ViewResult`` and its two pictures (uint8, rows, columns, 3), which show the
    original face: keep them inside the hospital.
    Returns: ``IdentityResult``. Raises: ``InputError`` (shapes differ), ``MaskError`` (empty mask),
    ``MissingPackages``, ``DeviceError`` (no OpenGL), ``Cancelled``.
    """
    if not np.shape(before_hu) == np.shape(after_hu) == np.shape(face_mask):
        raise InputError(
            f"The original, the defaced volume and the mask differ in shape ({np.shape(before_hu)}, "
            f"{np.shape(after_hu)}, {np.shape(face_mask)}); give three of one grid."
        )
    progress = progress or Progress()
    progress.enter("identity")
    index_to_ras = geometry.affine()
    centre = face_centre(face_mask, index_to_ras)
    detector, embedder = Detector(), Embedder()
    focus = tissue_focus(before_hu, index_to_ras)
    before = draw_views(before_hu, index_to_ras, focus)
    progress.update(SHARES[0])
    after = draw_views(after_hu, index_to_ras, focus)
    results = []
    for number, view in enumerate(VIEWS):
        progress.update(SHARES[1] + (1 - SHARES[1]) * number / len(VIEWS))
        results.append(compare(view, frame(view, focus, centre), before[number], after[number], detector, embedder))
        on_view(results[-1], before[number], after[number])
    return summarise(results)


def summarise(views: Sequence[ViewResult]) -> IdentityResult:
    """``IdentityResult`` of the ``ViewResult``s of one head."""
    verdict, reason, number_name, number = judge(views)
    return IdentityResult(verdict, reason, number_name, number, tuple(views))


def compare(
    view: View, at: Frame, before: np.ndarray, after: np.ndarray, detector: Detector, embedder: Embedder
) -> ViewResult:
    """``ViewResult`` of two pictures of one ``View``; ``at`` is its ``Frame``.

    Each face is cropped at its own box. Where only one picture has a face, the other is cropped at the same place.
    """
    boxes_before, boxes_after = (tuple(_detection(box, at) for box in detector.find(picture)) for picture in (before, after))
    face_before = surest_face(boxes_before) or surest_face(boxes_after)
    face_after = surest_face(boxes_after) or face_before
    apart = None
    if face_before is not None and face_after is not None:
        apart = distance(embedder.embed(before, face_before.box), embedder.embed(after, face_after.box))
    return ViewResult(view.name, view.pitch_deg, view.yaw_deg, at.mm_per_pixel, boxes_before, boxes_after, apart)


def _detection(box: Box, at: Frame) -> Detection:
    width, offset = box_mm(box, at)
    return Detection(box, width, offset, counts(width, offset))
