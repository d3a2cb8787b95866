"""Run all methods on all heads, one head after the other; each result is kept at once, and only missing ones are computed.

A method that finds nothing on a head, or fails, is a result too, with its reason; it is never dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Cancelled, CTADefaceError, MissingPackages, first_line
from ..files.storage.private import private_folder
from ..filling.fill import filled
from ..head.pose import locate
from ..head.skin import Skin
from ..head.view import HeadView
from ..identity.views import draw_views, face_centre, frame
from ..rendering.camera import tissue_focus
from .attacks.attack import noisy
from .heads import read_case
from .measures import attacked, left_and_lost, overlap
from .methods import METHODS, ORIGINAL, Masks

if TYPE_CHECKING:
    from ..head.frame import Frame
    from ..identity.views import Frame as PictureFrame
    from ..rendering.camera import Focus
    from ..voxels.volume import Volume
    from .faces import Faces, ViewFaces
    from .heads import Case
    from .protocol import Protocol
    from .results_store import Key, Result, Results, Store


class HeadStudy:
    """One head: its files are read, and its pictures' frames made, only when a result is missing."""

    def __init__(self, case: Case, protocol: Protocol, faces: Faces, model: str | None = None) -> None:
        self._case, self._protocol, self._faces, self._model = case, protocol, faces, model

    @cached_property
    def _read(self) -> tuple[Volume, np.ndarray]:
        return read_case(self._case)

    @cached_property
    def _masks(self) -> Masks:
        return Masks(*self._read, self._model)

    @cached_property
    def _head(self) -> Frame | None:
        return locate(self._read[0])

    @cached_property
    def _skin(self) -> Skin | None:
        """The original's ``Skin``, None where no head was found."""
        return Skin(HeadView(self._read[0], self._head)) if self._head else None

    @cached_property
    def _noisy(self) -> Volume:
        return noisy(self._read[0], self._protocol.attack_seed)

    @cached_property
    def _camera(self) -> tuple[Focus, list[PictureFrame]]:
        """(focus, frame by view): of the original and its reference, the same for all methods."""
        volume, reference = self._read
        matrix = volume.geometry.affine()
        focus = tissue_focus(volume.to_hu(volume.stored), matrix)
        centre = face_centre(reference, matrix)
        return focus, [frame(view, focus, centre, self._protocol.size_pixels) for view in self._protocol.views]

    def original(self) -> tuple[Result, np.ndarray]:
        """(result, picture of the published view) of the head as it is."""
        volume, reference = self._read
        views, picture = self._look(volume.stored)
        return {
            "views": views,
            "voxels": list(volume.stored.shape[::-1]),
            "subset": self._case.subset,
            "spacing_mm": [round(float(s), 3) for s in volume.geometry.spacing],
            "reference_ml": float(reference.sum() * np.prod(volume.geometry.spacing) / 1000),
        }, picture

    def method(self, name: str, original: Result) -> tuple[Result, np.ndarray]:
        """(result, picture) of one method; ``original`` is the result of ``original``."""
        source, fill = METHODS[name]
        volume, reference = self._read
        made = self._masks.make(source)
        mask = made.mask
        started = time.monotonic()
        after, value = filled(volume, mask, fill, frame=self._head)
        filling = time.monotonic() - started
        views, picture = self._look(after, original["views"])
        measured = (
            overlap(volume, mask, reference, self._protocol)
            | left_and_lost(volume, self._skin, mask, after, value)
            | attacked(self._noisy, mask, fill, self._head)
        )
        return {
            "views": views,
            "measures": measured,
            "mask_seconds": made.seconds,
            "mask_cpu_seconds": made.cpu_seconds,
            "fill_seconds": filling,
        }, picture

    def _look(self, stored: np.ndarray, originals: list[ViewFaces] | None = None) -> tuple[list[ViewFaces], np.ndarray]:
        """(what ``Faces.look`` finds, picture of the published view) of stored values."""
        volume, protocol = self._read[0], self._protocol
        focus, frames = self._camera
        pictures = draw_views(
            volume.to_hu(stored),
            volume.geometry.affine(),
            focus,
            protocol.views,
            protocol.size_pixels,
            protocol.smoothing_pixels,
        )
        return self._faces.look(pictures, frames, originals), pictures[protocol.published_index]


def run_study(
    cases: Sequence[Case],
    store: Store,
    protocol: Protocol,
    faces: Callable[[], Faces],
    model: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Results:
    """The results by head and method: {head: {method: result}}; with ``error`` where a method failed.

    Parameters: ``store`` a ``results_store.Store``; ``faces`` makes a ``faces.Faces`` when it is first needed;
    ``say`` is told of each result that was computed.
    Raises: ``MissingPackages``, ``Cancelled``; a fault of a single head is a result.
    """
    made: Faces | None = None
    results: Results = {}
    for number, case in enumerate(cases):
        key = store.head_key(case)
        found: dict[str, Result] = {}
        study: HeadStudy | None = None
        for name in (ORIGINAL, *protocol.methods):
            result = store.load(case.name, name, key)
            if result is None:
                made = made or faces()
                study = study or HeadStudy(case, protocol, made, model)
                result = _computed(study, name, found.get(ORIGINAL, {}), key, store, case.name)
                say(
                    f"{number + 1}/{len(cases)} {case.name} {name}: "
                    f"{result.get('error') or format(result['seconds'], '.1f') + ' s'}"
                )
            found[name] = result
        results[case.name] = found
    return results


def _computed(study: HeadStudy, name: str, original: Result, key: Key, store: Store, head: str) -> Result:
    """The result of one head and method, kept in ``store``; ``original`` is the original's, empty for the original itself."""
    from ..rendering.pictures import write_png

    started = time.monotonic()
    try:
        if name == ORIGINAL:
            result, picture = study.original()
        elif original.get("error"):
            raise CTADefaceError(original["error"])
        else:
            result, picture = study.method(name, original)
        path = store.path(head, name, ".png")
        private_folder(path.parent)
        write_png(picture, path)
    except (MissingPackages, Cancelled):
        raise
    except Exception as error:  # a fault on one head must not end the study; it is named in the report
        kind = "" if isinstance(error, CTADefaceError) else f"unexpected {type(error).__name__}: "
        result = {"error": kind + first_line(error)}
    result |= {"key": key, "head": head, "method": name, "seconds": time.monotonic() - started}
    store.save(head, name, result)
    return result
