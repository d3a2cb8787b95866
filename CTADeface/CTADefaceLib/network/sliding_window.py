"""nnU-Net's sliding window over a volume on the model's grid, with cancellation between patches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..progress import StageProgress
from .model_grid import BACKGROUND_LOGIT

if TYPE_CHECKING:
    from ..models.folder import ModelInfo
    from ..models.loader import LoadedModel

# Patches with a smaller share of voxels above the mean HU of facial soft tissue hold no face.
LEAST_TISSUE_SHARE = 0.005
# Where patches overlap by half, the rim of a patch (three standard deviations of its weights from the middle) weighs 2 %
# of what the next patch weighs there.
RIM_SHARE, LARGEST_STEP_WITH_RIM = 1 / 8, 0.5


def sliding_window_logits(
    model: LoadedModel,
    data: torch.Tensor,
    device: torch.device,
    mirroring: bool = False,
    step_size: float = 0.5,
    box: Sequence[slice] | None = None,
    progress: StageProgress | None = None,
) -> torch.Tensor:
    """Log-odds of face against the best other class, Gaussian-weighted over patches, averaged over folds.

    Same patches, weights and padding as ``nnUNetPredictor``, which cannot be stopped between patches and
    visits every patch.

    Parameters: ``data`` normalised float32 (z, y, x); ``step_size`` in patches (0, 1]; ``box`` three slices: only patches
    that touch it are visited (where patches overlap by half, those that touch it with more than their rim), so that the
    result within the box is as good as without it.
    Returns: float32 tensor (z, y, x) on the CPU, -50 where no patch was visited.
    """
    patch = tuple(model.info.patch_size)
    padding = [max(p - n, 0) for p, n in zip(patch, data.shape)]
    pads = [v for extra in reversed(padding) for v in (extra // 2, extra - extra // 2)]
    padded = torch.nn.functional.pad(data, pads)
    before = [extra // 2 for extra in padding]
    rim = [int(RIM_SHARE * p) if step_size <= LARGEST_STEP_WITH_RIM else 0 for p in patch]
    windows = [
        w
        for w in _windows(padded.shape, patch, step_size)
        if (box is None or _touches(_without_rim(w, rim, padded.shape), box, before))
        and (padded[w] > 0).float().mean() > LEAST_TISSUE_SHARE
    ]
    # With a single patch the weights cancel.
    gaussian: torch.Tensor | float = 1.0 if len(windows) == 1 else _gaussian(patch)
    logits = torch.zeros((model.info.num_classes, *padded.shape))
    weight = torch.zeros(padded.shape)
    steps = len(windows) * len(model.parameters)
    for number, (parameters, window) in enumerate(itertools.product(model.parameters, windows)):
        if number % len(windows) == 0 and len(model.parameters) > 1:
            model.network.load_state_dict(parameters, assign=True)
        if progress is not None:
            progress.update(number / steps)
        logits[(slice(None), *window)] += _predict(model, padded[window], device, mirroring) * gaussian
        weight[window] += gaussian
    odds = _face_against_rest(logits, model.info) / weight
    odds[weight == 0] = BACKGROUND_LOGIT
    return odds[tuple(slice(b, b + n) for b, n in zip(before, data.shape))]


def half_precision(device: torch.device) -> torch.autocast:
    """Autocast where 16 bits are faster: float16 on CUDA, bfloat16 on a CPU that multiplies in it (on others it is slower).

    Works as a context manager and as a decorator.
    """
    # Older PyTorch does not tell.
    can: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    multiplies = can.get("amx_bf16", False) or can.get("avx512_bf16", False)
    return torch.autocast(device.type, torch.bfloat16 if multiplies else None, enabled=multiplies or device.type == "cuda")


def _face_against_rest(logits: torch.Tensor, info: ModelInfo) -> torch.Tensor:
    """Sigmoid channels (region-based training) stand alone; softmax channels compete."""
    if info.has_regions:
        return logits[info.face_channel]
    others = [c for c in range(len(logits)) if c != info.face_channel]
    return logits[info.face_channel] - logits[others].amax(0)


def _touches(window: Sequence[slice], box: Sequence[slice], before: Sequence[int]) -> bool:
    return all(w.start < b.stop + o and w.stop > b.start + o for w, b, o in zip(window, box, before))


def _without_rim(window: Sequence[slice], rim: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """``window`` without its rim (voxels per axis), except at the volume's border, where there is no other patch."""
    return tuple(slice(w.start + r * (w.start > 0), w.stop - r * (w.stop < n)) for w, r, n in zip(window, rim, shape))


def _gaussian(patch: tuple[int, ...]) -> torch.Tensor:
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    return compute_gaussian(patch, sigma_scale=1 / 8, value_scaling_factor=10, dtype=torch.float32, device=torch.device("cpu"))


def _windows(shape: Sequence[int], patch: tuple[int, ...], step_size: float) -> list[tuple[slice, ...]]:
    if tuple(shape) == patch:
        # Most heads fit one patch; nnU-Net's module would import SciPy.
        return [tuple(slice(0, p) for p in patch)]
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    starts = compute_steps_for_sliding_window(tuple(shape), patch, step_size)
    return [tuple(slice(s, s + p) for s, p in zip(corner, patch)) for corner in itertools.product(*starts)]


def _predict(model: LoadedModel, patch: torch.Tensor, device: torch.device, mirroring: bool) -> torch.Tensor:
    batch = patch[None, None].to(device)
    network = model.network.to(device)
    axes = [axis + 2 for axis in model.mirror_axes] if mirroring else []
    flips = [c for n in range(1, len(axes) + 1) for c in itertools.combinations(axes, n)]
    with torch.inference_mode(), half_precision(device):
        total = network(batch)
        for flip in flips:
            total = total + torch.flip(network(torch.flip(batch, flip)), flip)
    return (total[0] / (len(flips) + 1)).float().cpu()
