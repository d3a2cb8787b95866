"""The result of a training: the model folder that the extension ships (stock nnU-Net layout, weights only), and its Dice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..face.mask import face_mask
from ..files.read import read_volume
from ..network.host import NetworksHere
from ..network.model_run import ModelRun
from ..release.record import edits
from ..voxels.images import mask_on_grid

if TYPE_CHECKING:
    from .dataset import AnnotatedHead

KEPT = ("network_weights", "current_epoch", "inference_allowed_mirroring_axes")


def package_model(trained: str | Path, destination: str | Path) -> Path:
    """Copy what inference needs from a trained folder (``.../FaceTrainer__nnUNetPlans__3d_fullres``).

    The checkpoint keeps the weights and the keys that ``nnUNetv2_predict_from_modelfolder`` reads, and
    names the stock trainer, whose network it is. Optimizer state and local paths stay behind.
    """
    trained, destination = Path(trained), Path(destination)
    folder = trained / "fold_all"
    names = ("checkpoint_latest.pth", "checkpoint_final.pth")
    source = next(folder / name for name in names if (folder / name).is_file())
    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    kept = {key: checkpoint[key] for key in KEPT}
    kept["trainer_name"] = "nnUNetTrainer"
    kept["init_args"] = {"configuration": checkpoint["init_args"]["configuration"], "fold": "all"}
    (destination / "fold_all").mkdir(parents=True, exist_ok=True)
    torch.save(kept, destination / "fold_all" / "checkpoint_final.pth")
    for name in ("plans.json", "dataset.json"):
        (destination / name).write_text(json.dumps(json.loads((trained / name).read_text()), indent=2) + "\n")
    logs = sorted(folder.glob("training_log_*.txt"))
    if logs:
        with open(destination / "training_log.txt", "w", encoding="utf-8") as out:
            for log in logs:
                with open(log, encoding="utf-8") as lines:
                    shutil.copyfileobj(lines, out)
    return destination


def evaluate(
    models: Mapping[str, str],
    heads: Sequence[AnnotatedHead],
    device: str = "cpu",
    told: Callable[[AnnotatedHead, dict[str, float]], None] = lambda head, scores: None,
) -> dict[str, dict[str, float]]:
    """Dice, on heads that the models were not trained on, of the engine's final masks against the annotated ones.

    Parameters: ``models`` label -> model name or folder; ``told(head, scores)`` is called for each of ``heads``.
    Returns: {head's name: {label: Dice}}; 0 where a model finds no face.
    """
    scores: dict[str, dict[str, float]] = {}
    networks = NetworksHere()
    for head in heads:
        volume = read_volume(head.image)
        reference = mask_on_grid(read_volume(head.mask), volume)
        scores[head.name] = {
            label: edits(face_mask(volume, networks, ModelRun(model, device)), reference)["dice"]
            for label, model in models.items()
        }
        told(head, scores[head.name])
    return scores


def summarised(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """{label: {"mean", "worst", "cases"}} of what ``evaluate`` returns."""
    labels: Mapping[str, float] = next(iter(scores.values()), {})
    values = {label: [found[label] for found in scores.values()] for label in labels}
    return {
        label: {"mean": round(float(np.mean(dice)), 4), "worst": round(float(min(dice)), 4), "cases": len(dice)}
        for label, dice in values.items()
    }
