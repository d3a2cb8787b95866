"""Dice of models on heads that they were not trained on."""

import numpy as np

from ..files.read import read_volume
from ..face.mask import face_mask
from ..network.host import NetworksHere
from ..network.model_run import ModelRun
from ..voxels.images import mask_on_grid
from ..release.record import edits


def evaluate(models, heads, device="cpu", told=lambda head, scores: None):
    """Dice of the engine's final masks against the annotated ones.

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
