"""A model's network in this process, and its log-odds for a volume on the model's grid. All that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import DeviceError
from ..progress import Progress, StageProgress
from .model_grid import BACKGROUND_LOGIT
from .sliding_window import sliding_window_logits

if TYPE_CHECKING:
    from ..models.loader import LoadedModel

MANY_PATCHES = 3
# In a quick look: the share of the first face's evidence that makes a second one, and the largest gap that a seam tears
# into a face.
LEAST_EVIDENCE, SEAM_REACH_MM = 0.1, 60.0


class Network:
    """A ``RunnableNetwork``; ``info`` is the ``ModelInfo`` of the ``LoadedModel`` that it runs."""

    def __init__(self, model: LoadedModel) -> None:
        self._model, self.info = model, model.info

    def device(self, name: str) -> str:
        """The name of the device that 'auto' or ``name`` means. Raises: DeviceError."""
        return resolve_device(name).type

    def log_odds(
        self,
        data: np.ndarray,
        device: str = "cpu",
        mirroring: bool = False,
        step_size: float = 0.5,
        progress: StageProgress | None = None,
    ) -> np.ndarray:
        """Log-odds of face against the best other class, float32 (S, A, R).

        Parameters: ``data`` float32 (S, A, R), normalised, on the model's grid; the others as for ``RunnableNetwork``.
        Raises: DeviceError, Cancelled.
        """
        model, place, progress = self._model, resolve_device(device), progress or Progress().part(0, 1)
        image = torch.from_numpy(data).permute(self.info.transpose_forward)
        box = None
        if image.numel() > MANY_PATCHES * np.prod(self.info.patch_size):
            # A quick look without overlap first; then only the patches around what it found.
            seen = sliding_window_logits(model, image, place, step_size=1.0, progress=progress.part(0, 0.25))
            box = _face_box(seen.numpy(), self.info.spacing)
            if box is None:
                return self._on_our_axes(torch.full(image.shape, BACKGROUND_LOGIT))
        return self._on_our_axes(sliding_window_logits(model, image, place, mirroring, step_size, box, progress.part(0.25, 1)))

    def _on_our_axes(self, odds: torch.Tensor) -> np.ndarray:
        return odds.permute(self.info.transpose_backward).contiguous().numpy()


def resolve_device(name: str) -> torch.device:
    """The device for 'auto', 'cpu', 'cuda' or 'mps'. Raises: DeviceError when it is absent."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(d for d in ("cuda", "mps", "cpu") if present[d])
    if name not in present:
        raise DeviceError(f"{name}: unknown device; choose auto, cpu, cuda or mps.")
    if not present[name]:
        raise DeviceError(f"{name}: no such device on this machine or in this build of PyTorch; choose cpu or auto.")
    return torch.device(name)


def _face_box(odds: np.ndarray, spacing: Sequence[float]) -> tuple[slice, ...] | None:
    """Three slices around what may be the face in ``odds``: the pieces with much evidence, and what is near them; or None.

    Where its patches do not overlap, the network sees pieces of face in shoulders and at seams.
    """
    # Imports SciPy, which a volume of one patch does not need.
    from ..voxels.morphology import bounding_box, evident_pieces

    pieces = evident_pieces(odds, SEAM_REACH_MM, spacing, LEAST_EVIDENCE)
    return None if pieces is None else bounding_box(pieces[1])
