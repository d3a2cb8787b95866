"""nnU-Net's sliding window over a volume on the model's grid, with cancellation between patches."""

import itertools

import torch

from .model_grid import BACKGROUND_LOGIT

# Patches with less of it hold no face: the share of voxels above the mean HU of facial soft tissue.
LEAST_TISSUE_SHARE = 0.005
# Where patches overlap by half, the rim of one (three standard deviations of its weights from the middle) has 2 % of the
# weight that the next one has there.
RIM_SHARE, LARGEST_STEP_WITH_RIM = 1 / 8, 0.5


def sliding_window_logits(model, data, device, mirroring=False, step_size=0.5, box=None, progress=None):
    """Log-odds of face against the best other class, Gaussian-weighted over patches, averaged over folds.

    Same patches, weights and padding as ``nnUNetPredictor``, which cannot be stopped between patches and
    visits every patch.

    Parameters: ``model`` a ``LoadedModel``; ``data`` normalised float32 tensor (z, y, x); ``device`` a
    torch.device; ``step_size`` in patches (0, 1]; ``box`` three slices: only patches that touch it are
    visited, with more than their rim where they overlap by half, so that the result within it is as good as that without.
    Returns: float32 tensor (z, y, x) on the CPU, -50 where no patch was visited.
    """
    patch = tuple(model.info.patch_size)
    padding = [max(p - n, 0) for p, n in zip(patch, data.shape)]
    pads = [v for extra in reversed(padding) for v in (extra // 2, extra - extra // 2)]
    padded = torch.nn.functional.pad(data, pads)
    before = [extra // 2 for extra in padding]
    rim = [int(RIM_SHARE * p) if step_size <= LARGEST_STEP_WITH_RIM else 0 for p in patch]
    windows = [w for w in _windows(padded.shape, patch, step_size)
               if (box is None or _touches(_without_rim(w, rim, padded.shape), box, before))
               and (padded[w] > 0).float().mean() > LEAST_TISSUE_SHARE]
    # Of a single patch the weights cancel.
    gaussian = 1.0 if len(windows) == 1 else _gaussian(patch)
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


def half_precision(device):
    """Autocast where 16 bits are faster: float16 on CUDA, bfloat16 on a CPU that multiplies in it (on others it is
    slower). Works as context and as decorator."""
    # Older PyTorch does not tell.
    can = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    multiplies = can.get("amx_bf16", False) or can.get("avx512_bf16", False)
    return torch.autocast(device.type, torch.bfloat16 if multiplies else None,
                          enabled=multiplies or device.type == "cuda")


def _face_against_rest(logits, info):
    """Sigmoid channels (region-based training) stand alone; softmax channels compete."""
    if info.has_regions:
        return logits[info.face_channel]
    others = [c for c in range(len(logits)) if c != info.face_channel]
    return logits[info.face_channel] - logits[others].amax(0)


def _touches(window, box, before):
    return all(w.start < b.stop + o and w.stop > b.start + o for w, b, o in zip(window, box, before))


def _without_rim(window, rim, shape):
    """``window`` without its rim (voxels per axis), but for the sides at the volume's border, where no other patch is."""
    return tuple(slice(w.start + r * (w.start > 0), w.stop - r * (w.stop < n)) for w, r, n in zip(window, rim, shape))


def _gaussian(patch):
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    return compute_gaussian(patch, sigma_scale=1 / 8, value_scaling_factor=10, dtype=torch.float32,
                            device=torch.device("cpu"))


def _windows(shape, patch, step_size):
    if tuple(shape) == patch:
        # Most heads; nnU-Net's module imports SciPy.
        return [tuple(slice(0, p) for p in patch)]
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    starts = compute_steps_for_sliding_window(tuple(shape), patch, step_size)
    return [tuple(slice(s, s + p) for s, p in zip(corner, patch)) for corner in itertools.product(*starts)]


def _predict(model, patch, device, mirroring):
    batch = patch[None, None].to(device)
    network = model.network.to(device)
    axes = [axis + 2 for axis in model.mirror_axes] if mirroring else []
    flips = [c for n in range(1, len(axes) + 1) for c in itertools.combinations(axes, n)]
    with torch.inference_mode(), half_precision(device):
        total = network(batch)
        for flip in flips:
            total = total + torch.flip(network(torch.flip(batch, flip)), flip)
    return (total[0] / (len(flips) + 1)).float().cpu()
