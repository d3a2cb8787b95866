"""What a training leaves: the model folder that the extension ships (stock nnU-Net layout, weights only), and its Dice."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch

from ..face.mask import face_mask
from ..network.host import NetworksHere
from ..network.model_run import ModelRun
from ..voxels.images import mask_on_grid
from ..files.read import read_volume
from ..release.record import edits

KEPT = ("network_weights", "current_epoch", "inference_allowed_mirroring_axes")


def package_model(trained, destination):
    """Copy what inference needs of a trained folder (``.../FaceTrainer__nnUNetPlans__3d_fullres``).

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


def evaluate(models, heads, device="cpu", told=lambda head, scores: None):
    """Dice, on heads that the models were not trained on, of the engine's final masks against the annotated ones.

    Parameters: ``models`` label -> model name or folder; ``heads`` ``AnnotatedHead``s; ``told(head, scores)`` hears
    of each.
    Returns: {head's name: {label: Dice}}; 0 where a model finds no face.
    """
    scores, networks = {}, NetworksHere()
    for head in heads:
        volume = read_volume(head.image)
        reference = mask_on_grid(read_volume(head.mask), volume)
        scores[head.name] = {label: edits(face_mask(volume, networks, ModelRun(model, device)), reference)["dice"]
                             for label, model in models.items()}
        told(head, scores[head.name])
    return scores


def summarised(scores):
    """{label: {"mean", "worst", "cases"}} of what ``evaluate`` returns."""
    labels = next(iter(scores.values()), {})
    values = {label: [of[label] for of in scores.values()] for label in labels}
    return {label: {"mean": round(float(np.mean(dice)), 4), "worst": round(float(min(dice)), 4), "cases": len(dice)}
            for label, dice in values.items()}
