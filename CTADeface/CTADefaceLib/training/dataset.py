"""Annotated heads to an nnU-Net raw dataset of synthetic variants."""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .variants import draw_variant, load_head, plain_variant

IMAGE_SUFFIX = "_image.nii.gz"
MASK_SUFFIX = "_mask.nii.gz"
CHANNEL = "_0000.nii.gz"


@dataclass(frozen=True)
class AnnotatedHead:
    """Paths of a head CT and of its face mask (1 = face)."""

    name: str
    image: Path
    mask: Path


def find_heads(data):
    """All heads of a folder that have a mask, by name: of an nnU-Net raw dataset, else <case>_image/_mask.nii.gz.

    Raises: InputError when there is none.
    """
    data = Path(data)
    if (data / "imagesTr").is_dir():
        pairs = ((path.name[:-len(CHANNEL)], path) for path in data.glob("imagesTr/*" + CHANNEL))
        heads = [AnnotatedHead(name, path, data / "labelsTr" / f"{name}.nii.gz") for name, path in pairs]
    else:
        pairs = ((path.name[:-len(IMAGE_SUFFIX)], path) for path in data.glob("*" + IMAGE_SUFFIX))
        heads = [AnnotatedHead(name, path, data / (name + MASK_SUFFIX)) for name, path in pairs]
    heads = sorted((head for head in heads if head.mask.is_file()), key=lambda head: head.name)
    if not heads:
        raise InputError(f"{data}: holds no head with a mask; give an nnU-Net raw dataset ('cta-deface train add' "
                         f"makes one) or a folder of <case>{IMAGE_SUFFIX} and <case>{MASK_SUFFIX}.")
    return heads


def split_cases(names, hold_out_every):
    """Deterministic split (training, held out): every n-th case is held out; 0 holds none out."""
    held = names[hold_out_every // 2::hold_out_every] if hold_out_every else []
    return [n for n in names if n not in held], held


def _write(array, spacing, path):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    sitk.WriteImage(image, str(path), True)


def _write_variants(annotated, variants, folder, spacing, seed):
    """Write the variants of one head; returns how many were large enough to be written."""
    head = load_head(annotated.image, annotated.mask)
    key = int.from_bytes(hashlib.sha256(annotated.name.encode()).digest()[:8], "big")
    count = 0
    for number in range(variants):
        rng = np.random.default_rng([seed, key, number])
        hu, face = draw_variant(head, spacing, rng) if number else plain_variant(head, spacing)
        if min(hu.shape) < 8:
            continue
        _write(hu, spacing, folder / "imagesTr" / f"{annotated.name}_v{number}_0000.nii.gz")
        _write(face, spacing, folder / "labelsTr" / f"{annotated.name}_v{number}.nii.gz")
        count += 1
    return count


def write_raw_dataset(training, held, dataset_folder, spacing, variants, seed, processes=1):
    """Write imagesTr, labelsTr and dataset.json of variants of the ``AnnotatedHead``s ``training``, and split.json;
    returns the number of variants. ``variants``: name of a head -> how many, the first one plain; ``processes`` that
    share the heads.

    The random generator of a variant depends only on ``seed``, the case name and the variant's
    number, so that adding a case changes no other.
    """
    folder = Path(dataset_folder)
    for sub in ("imagesTr", "labelsTr"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    counts = [variants[head.name] for head in training]
    write = partial(_write_variants, folder=folder, spacing=spacing, seed=seed)
    if processes == 1:
        count = sum(map(write, training, counts))
    else:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            count = sum(pool.map(write, training, counts))
    (folder / "dataset.json").write_text(json.dumps({
        "channel_names": {"0": "CT"}, "labels": {"background": 0, "face": 1},
        "numTraining": count, "file_ending": ".nii.gz"}, indent=2))
    (folder / "split.json").write_text(json.dumps({
        "training": [head.name for head in training], "held_out": [head.name for head in held]}, indent=2))
    return count
