"""Annotated heads to an nnU-Net raw dataset of synthetic variants."""

import hashlib
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .variants import draw_variant, load_head, plain_variant

IMAGE_SUFFIX = "_image.nii.gz"
MASK_SUFFIX = "_mask.nii.gz"


def find_cases(data):
    """Names of all ``<case>_image.nii.gz`` in a folder that have a ``<case>_mask.nii.gz``."""
    names = sorted(p.name[:-len(IMAGE_SUFFIX)] for p in Path(data).glob("*" + IMAGE_SUFFIX))
    return [n for n in names if (Path(data) / (n + MASK_SUFFIX)).is_file()]


def split_cases(names, hold_out_every):
    """Deterministic split (training, held out): every n-th case is held out; 0 holds none out."""
    held = names[hold_out_every // 2::hold_out_every] if hold_out_every else []
    return [n for n in names if n not in held], held


def _write(array, spacing, path):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    sitk.WriteImage(image, str(path), True)


def write_raw_dataset(data, dataset_folder, spacing, variants, hold_out_every, seed):
    """Write imagesTr, labelsTr, dataset.json and split.json; returns (training, held-out) names.

    The random generator of a variant depends only on ``seed``, the case name and the variant's
    number, so that adding a case changes no other.
    """
    folder = Path(dataset_folder)
    for sub in ("imagesTr", "labelsTr"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    training, held = split_cases(find_cases(data), hold_out_every)
    count = 0
    for name in training:
        head = load_head(Path(data) / (name + IMAGE_SUFFIX), Path(data) / (name + MASK_SUFFIX))
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        for number in range(variants):
            rng = np.random.default_rng([seed, key, number])
            hu, face = draw_variant(head, spacing, rng) if number else plain_variant(head, spacing)
            if min(hu.shape) < 8:
                continue
            _write(hu, spacing, folder / "imagesTr" / f"{name}_v{number}_0000.nii.gz")
            _write(face, spacing, folder / "labelsTr" / f"{name}_v{number}.nii.gz")
            count += 1
    (folder / "dataset.json").write_text(json.dumps({
        "channel_names": {"0": "CT"}, "labels": {"background": 0, "face": 1},
        "numTraining": count, "file_ending": ".nii.gz"}, indent=2))
    (folder / "split.json").write_text(json.dumps({"training": training, "held_out": held}, indent=2))
    return training, held
