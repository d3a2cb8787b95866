"""A model's network in this process, and what it says of a volume on the model's grid. All that needs torch."""

import numpy as np
import torch

from ..errors import DeviceError
from ..progress import Progress
from .model_grid import BACKGROUND_LOGIT
from .sliding_window import sliding_window_logits

MANY_PATCHES = 3
# What a quick look takes for a second face, as share of the evidence for the first, and how far seams tear a face apart.
LEAST_EVIDENCE, SEAM_REACH_MM = 0.1, 60.0


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
            seen = sliding_window_logits(model, data, device, step_size=1.0, progress=progress.part(0, 0.25))
            box = _face_box(seen.numpy(), self.info.spacing)
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


def _face_box(odds, spacing):
    """Three slices around what may be the face in ``odds``, or None: the pieces of much evidence and what is near them.

    Without overlap of its patches the network sees pieces of face in shoulders and at seams.
    """
    # SciPy, which one patch does not need.
    from ..voxels.morphology import bounding_box, evident_pieces

    pieces = evident_pieces(odds, SEAM_REACH_MM, spacing, LEAST_EVIDENCE)
    return None if pieces is None else bounding_box(pieces[1])
