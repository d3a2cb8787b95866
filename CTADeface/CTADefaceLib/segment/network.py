"""A model's network in this process, and what it says of a volume on the model's grid. All that needs torch."""

import numpy as np
import torch

from ..errors import DeviceError
from ..progress import Progress
from .model_grid import BACKGROUND_LOGIT
from .sliding_window import sliding_window_logits

MANY_PATCHES = 3


class Network:
    """``info`` is the ``ModelInfo`` of the ``LoadedModel`` that it runs."""

    def __init__(self, model):
        self._model, self.info = model, model.info

    def device(self, name):
        """The name of the device that 'auto' or ``name`` means. Raises: DeviceError."""
        return resolve_device(name).type

    def log_odds(self, data, device="cpu", mirroring=False, step_size=0.5, progress=None):
        """Log-odds of face against the best other class, float32 (S, A, R).

        Parameters: ``data`` float32 (S, A, R), normalised, on the model's grid; the others as for ``segment_face``.
        Raises: DeviceError, Cancelled.
        """
        model, device, progress = self._model, resolve_device(device), progress or Progress().part(0, 1)
        data = torch.from_numpy(data).permute(self.info.transpose_forward)
        box = None
        if data.numel() > MANY_PATCHES * np.prod(self.info.patch_size):
            # A quick look without overlap first; then only the patches around what it found.
            box = _bounds(sliding_window_logits(model, data, device, step_size=1.0, progress=progress.part(0, 0.25)) > 0)
            if box is None:
                return self._on_our_axes(torch.full(data.shape, BACKGROUND_LOGIT))
        return self._on_our_axes(
            sliding_window_logits(model, data, device, mirroring, step_size, box, progress.part(0.25, 1)))

    def _on_our_axes(self, odds):
        return odds.permute(self.info.transpose_backward).contiguous().numpy()


def resolve_device(name):
    """torch.device for 'auto', 'cpu', 'cuda' or 'mps'; DeviceError when the one asked for is absent."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(d for d in ("cuda", "mps", "cpu") if present[d])
    if name not in present:
        raise DeviceError(f"{name}: unknown device; choose auto, cpu, cuda or mps.")
    if not present[name]:
        raise DeviceError(f"{name}: no such device on this machine or in this build of PyTorch; choose cpu or auto.")
    return torch.device(name)


def _bounds(mask):
    points = np.argwhere(mask.numpy())
    if len(points) == 0:
        return None
    return tuple(slice(int(low), int(high) + 1) for low, high in zip(points.min(0), points.max(0)))
