"""Make a synthetic variant of an annotated head, on the model's grid (see ``synthesis``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from ..voxels.hu import AIR_HU
from . import synthesis

MARGIN_MM = 24.0
DOME_CLEARANCE_MM = 4.0


@dataclass(frozen=True)
class Head:
    """HU float32 and face mask bool, both (z, y, x) in RAS+ order; ``spacing`` (z, y, x) in mm."""

    hu: np.ndarray
    face: np.ndarray
    spacing: tuple[float, ...]


def load_head(image_path: str | Path, mask_path: str | Path) -> Head:
    """Read an image and its reference mask, both reoriented to RAS+ storage."""
    image, mask = (sitk.DICOMOrient(sitk.ReadImage(str(p)), "RAS") for p in (image_path, mask_path))
    if image.GetSize() != mask.GetSize():
        raise ValueError(f"{mask_path}: size {mask.GetSize()} differs from the image's {image.GetSize()}")
    return Head(sitk.GetArrayFromImage(image).astype(np.float32), sitk.GetArrayFromImage(mask) > 0, image.GetSpacing()[::-1])


def can_grow_dome(head: Head) -> bool:
    """Whether the face mask ends below the uppermost slice, so that nothing above is face."""
    tissue = np.nonzero((head.hu > -500).sum((1, 2)) > 50)[0]
    face = np.nonzero(head.face.any((1, 2)))[0]
    return face.size > 0 and (tissue.max() - face.max()) * head.spacing[0] > DOME_CLEARANCE_MM


def grow_dome(head: Head, rng: np.random.Generator) -> Head:
    """Close a skull that the field of view cut off: its last slice is repeated, shrunk towards the vertex."""
    top = np.nonzero((head.hu > -500).sum((1, 2)) > 50)[0].max() - 1
    base = head.hu[top]
    height = rng.uniform(50, 105)
    power = rng.uniform(2.0, 2.8)
    body = base > -300
    centre = ndi.center_of_mass(body)
    slices = []
    for step in range(1, int(height / head.spacing[0])):
        scale = (1 - (step * head.spacing[0] / height) ** power) ** (1 / power)
        if scale < 0.12:
            break
        offset = [c - c / scale for c in centre]
        slices.append(ndi.affine_transform(base, np.diag([1 / scale] * 2), offset, order=1, cval=AIR_HU))
    air = np.full((int(30 / head.spacing[0]), *base.shape), AIR_HU, np.float32)
    hu = np.concatenate([head.hu[: top + 1], np.array(slices, np.float32).reshape(-1, *base.shape), air])
    face = np.zeros(hu.shape, bool)
    face[: top + 1] = head.face[: top + 1]
    return Head(hu, face, head.spacing)


def pose(head: Head, spacing: float, angles_deg: Sequence[float] | np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotate (pitch, roll, yaw) about the face's centre, scale, and resample to isotropic mm."""
    image = sitk.GetImageFromArray(head.hu)
    image.SetSpacing([float(s) for s in head.spacing[::-1]])
    mask = sitk.GetImageFromArray(head.face.astype(np.float32))
    mask.CopyInformation(image)
    keep = np.argwhere(head.hu > -500) * head.spacing
    centre = (np.argwhere(head.face) * head.spacing).mean(0)
    transform = sitk.Similarity3DTransform()
    transform.SetCenter([float(c) for c in centre[::-1]])
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*(float(np.deg2rad(a)) for a in angles_deg))
    transform.SetMatrix((np.array(euler.GetMatrix()) / scale).tolist())
    inverse = transform.GetInverse()
    low, high = keep.min(0), keep.max(0)
    corners = np.array(
        [
            inverse.TransformPoint([float(v) for v in (x, y, z)])
            for z in (low[0], high[0])
            for y in (low[1], high[1])
            for x in (low[2], high[2])
        ]
    )
    start = corners.min(0) - MARGIN_MM
    size = np.ceil((corners.max(0) + MARGIN_MM - start) / spacing).astype(int)

    def resample(source: sitk.Image, default: float) -> np.ndarray:
        return sitk.GetArrayFromImage(
            sitk.Resample(
                source,
                size.tolist(),
                transform,
                sitk.sitkLinear,
                start.tolist(),
                [float(spacing)] * 3,
                np.eye(3).ravel().tolist(),
                default,
            )
        )

    return resample(image, AIR_HU), resample(mask, 0.0) > 0.5


def crop_field_of_view(
    hu: np.ndarray, face: np.ndarray, spacing: float, rng: np.random.Generator, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the volume as hospitals do; ``kind``: head, top, bottom, brain or neck."""
    rows = np.nonzero(face.any((1, 2)))[0]
    low, high = int(rows.min()), int(rows.max()) + 1
    total = hu.shape[0]
    height = high - low
    start, stop = max(low - int(rng.uniform(15, 150) / spacing), 0), total
    if kind == "top":
        stop = low + int(rng.uniform(0.3, 1.0) * height)
    elif kind == "bottom":
        start = low + int(rng.uniform(0.05, 0.6) * height)
    elif kind == "brain":
        start = min(high + 1, total - 16)
    elif kind == "neck":
        start, stop = 0, max(low - 1, 16)
    tissue = np.argwhere((hu[start:stop] > -300).any(0))
    if len(tissue) == 0:
        tissue = np.argwhere(face.any(0))
    margin = int(rng.uniform(20, 60) / spacing)
    (y0, x0), (y1, x1) = np.maximum(tissue.min(0) - margin, 0), tissue.max(0) + 1 + margin
    lateral = int(rng.uniform(95, 150) / spacing)
    middle = int(np.argwhere(face.any(0))[:, 1].mean())
    window = (slice(start, stop), slice(y0, y1), slice(max(x0, middle - lateral), min(x1, middle + lateral)))
    return hu[window], face[window]


def draw_variant(head: Head, spacing: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random variant: (HU int16, face uint8), both (z, y, x) at ``spacing`` mm isotropic."""
    head, kind = _field_of_view(head, rng)
    strong = rng.random() < 0.6 and kind not in ("brain", "neck")
    angles = rng.uniform(-30, 30, 3) if strong else rng.uniform(-8, 8, 3)
    hu, face = pose(head, spacing, angles, rng.uniform(0.85, 1.15))
    hu, face = crop_field_of_view(hu, face, spacing, rng, kind)
    hu, face = _with_objects(hu, face, spacing, rng)
    hu, face = _as_scanned(hu, face, spacing, rng)
    return np.clip(hu, -3024, 3071).astype(np.int16), face.astype(np.uint8)


def _field_of_view(head: Head, rng: np.random.Generator) -> tuple[Head, str]:
    """(the head, perhaps with a closed skull; a kind of field of view that it has room for)."""
    kind = str(rng.choice(["head", "top", "bottom", "brain", "neck"], p=[0.56, 0.12, 0.16, 0.08, 0.08]))
    if can_grow_dome(head) and (kind == "brain" or rng.random() < 0.8):
        head = grow_dome(head, rng)
    elif kind == "brain":
        kind = "bottom"
    return head, kind


def _with_objects(hu: np.ndarray, face: np.ndarray, spacing: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(hu, face) with a sharper kernel, contrast medium, a device, a table, a head rest and metal, each at random."""
    body = synthesis.body_mask(hu)
    if rng.random() < 0.3:
        hu = synthesis.sharpen(hu, rng)
    if rng.random() < 0.4:
        hu = synthesis.add_contrast(hu, body, spacing, rng)
    if rng.random() < 0.3:
        hu, face = synthesis.add_device(hu, body, face, spacing, rng)
    if rng.random() < 0.5:
        hu = synthesis.add_table(hu, body, spacing, rng)
    if rng.random() < 0.5:
        hu = synthesis.add_head_rest(hu, body, spacing, rng)
    if rng.random() < 0.3:
        hu = synthesis.add_metal(hu, face, spacing, rng)
    return hu, face


def _as_scanned(hu: np.ndarray, face: np.ndarray, spacing: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(hu, face) with thick slices, noise and padding outside the reconstruction circle, each at random."""
    if rng.random() < 0.25:
        hu = synthesis.blur_slices(hu, spacing, rng)
    if rng.random() < 0.6:
        hu = synthesis.add_noise(hu, rng)
    if rng.random() < 0.35:
        hu, outside = synthesis.pad_outside_circle(hu, rng)
        face = face & ~outside
    return hu, face


def plain_variant(head: Head, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """The head itself on the model's grid, nothing added."""
    hu, face = pose(head, spacing, (0.0, 0.0, 0.0), 1.0)
    return hu.astype(np.int16), face.astype(np.uint8)
