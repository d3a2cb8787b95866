"""Make an nnU-Net raw dataset of synthetic variants from annotated heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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


def find_heads(data: str | Path) -> list[AnnotatedHead]:
    """All heads of a folder that have a mask, sorted by name.

    The folder is an nnU-Net raw dataset, or holds <case>_image.nii.gz and <case>_mask.nii.gz.

    Raises: InputError when there is none.
    """
    data = Path(data)
    if (data / "imagesTr").is_dir():
        pairs = ((path.name[: -len(CHANNEL)], path) for path in data.glob("imagesTr/*" + CHANNEL))
        heads = [AnnotatedHead(name, path, data / "labelsTr" / f"{name}.nii.gz") for name, path in pairs]
    else:
        pairs = ((path.name[: -len(IMAGE_SUFFIX)], path) for path in data.glob("*" + IMAGE_SUFFIX))
        heads = [AnnotatedHead(name, path, data / (name + MASK_SUFFIX)) for name, path in pairs]
    heads = sorted((head for head in heads if head.mask.is_file()), key=lambda head: head.name)
    if not heads:
        raise InputError(
            f"{data}: holds no head with a mask; give an nnU-Net raw dataset ('cta-deface train add' "
            f"makes one) or a folder of <case>{IMAGE_SUFFIX} and <case>{MASK_SUFFIX}."
        )
    return heads


def split_cases(names: list[str], hold_out_every: int) -> tuple[list[str], list[str]]:
    """Deterministic split (training, held out): every n-th case is held out; 0 holds none out."""
    held = names[hold_out_every // 2 :: hold_out_every] if hold_out_every else []
    return [n for n in names if n not in held], held


def _write(array: np.ndarray, spacing: float, path: Path) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    sitk.WriteImage(image, str(path), True)


def _write_variants(annotated: AnnotatedHead, variants: int, folder: Path, spacing: float, seed: int) -> int:
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


def write_raw_dataset(
    training: Sequence[AnnotatedHead],
    held: Sequence[AnnotatedHead],
    dataset_folder: str | Path,
    spacing: float,
    variants: Mapping[str, int],
    seed: int,
    processes: int = 1,
) -> int:
    """Write imagesTr, labelsTr and dataset.json of variants of the heads ``training``, and split.json.

    The random generator of a variant depends only on ``seed``, the case's name and the variant's number, so that a case
    that is added changes no other.

    Parameters: ``spacing`` in mm, isotropic; ``variants`` name of a head -> number of its variants, of which the first is
    plain; ``processes`` share the heads.
    Returns: the number of variants written.
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
    (folder / "dataset.json").write_text(
        json.dumps(
            {
                "channel_names": {"0": "CT"},
                "labels": {"background": 0, "face": 1},
                "numTraining": count,
                "file_ending": ".nii.gz",
            },
            indent=2,
        )
    )
    (folder / "split.json").write_text(
        json.dumps({"training": [head.name for head in training], "held_out": [head.name for head in held]}, indent=2)
    )
    return count
