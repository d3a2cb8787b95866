"""One annotated head in, one synthetic variant on the model's grid out (see ``synthesis``)."""

from dataclasses import dataclass

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
    spacing: tuple


def load_head(image_path, mask_path):
    """Read an image and its reference mask, both reoriented to RAS+ storage."""
    image, mask = (sitk.DICOMOrient(sitk.ReadImage(str(p)), "RAS") for p in (image_path, mask_path))
    if image.GetSize() != mask.GetSize():
        raise ValueError(f"{mask_path}: size {mask.GetSize()} differs from the image's {image.GetSize()}")
    return Head(sitk.GetArrayFromImage(image).astype(np.float32), sitk.GetArrayFromImage(mask) > 0,
                image.GetSpacing()[::-1])


def can_grow_dome(head):
    """True when the face mask ends below the uppermost slice, so that nothing above is face."""
    tissue = np.nonzero((head.hu > -500).sum((1, 2)) > 50)[0]
    face = np.nonzero(head.face.any((1, 2)))[0]
    return face.size > 0 and (tissue.max() - face.max()) * head.spacing[0] > DOME_CLEARANCE_MM


def grow_dome(head, rng):
    """Close a skull that the field of view cut off: the last slice, shrunk towards the vertex."""
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
    hu = np.concatenate([head.hu[:top + 1], np.array(slices, np.float32).reshape(-1, *base.shape), air])
    face = np.zeros(hu.shape, bool)
    face[:top + 1] = head.face[:top + 1]
    return Head(hu, face, head.spacing)


def pose(head, spacing, angles_deg, scale):
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
    corners = np.array([inverse.TransformPoint([float(v) for v in (x, y, z)])
                        for z in (low[0], high[0]) for y in (low[1], high[1]) for x in (low[2], high[2])])
    start = corners.min(0) - MARGIN_MM
    size = np.ceil((corners.max(0) + MARGIN_MM - start) / spacing).astype(int)
    grid = [size.tolist(), transform, None, start.tolist(), [float(spacing)] * 3, np.eye(3).ravel().tolist()]

    def resample(source, default):
        return sitk.GetArrayFromImage(sitk.Resample(source, grid[0], grid[1], sitk.sitkLinear, *grid[3:], default))

    return resample(image, AIR_HU), resample(mask, 0.0) > 0.5


def crop_field_of_view(hu, face, spacing, rng, kind):
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


def draw_variant(head, spacing, rng):
    """A random variant: (HU int16, face uint8), both (z, y, x) at ``spacing`` mm isotropic."""
    kind = rng.choice(["head", "top", "bottom", "brain", "neck"], p=[0.56, 0.12, 0.16, 0.08, 0.08])
    domed = can_grow_dome(head)
    if domed and (kind == "brain" or rng.random() < 0.8):
        head = grow_dome(head, rng)
    elif kind == "brain":
        kind = "bottom"
    strong = rng.random() < 0.6 and kind not in ("brain", "neck")
    angles = rng.uniform(-30, 30, 3) if strong else rng.uniform(-8, 8, 3)
    hu, face = pose(head, spacing, angles, rng.uniform(0.85, 1.15))
    hu, face = crop_field_of_view(hu, face, spacing, rng, kind)
    body = synthesis.body_mask(hu)

    def chance(p):
        return rng.random() < p

    if chance(0.3):
        hu = synthesis.sharpen(hu, rng)
    if chance(0.4):
        hu = synthesis.add_contrast(hu, body, spacing, rng)
    if chance(0.3):
        hu, face = synthesis.add_device(hu, body, face, spacing, rng)
    if chance(0.5):
        hu = synthesis.add_table(hu, body, spacing, rng)
    if chance(0.5):
        hu = synthesis.add_head_rest(hu, body, spacing, rng)
    if chance(0.3):
        hu = synthesis.add_metal(hu, face, spacing, rng)
    if chance(0.25):
        hu = synthesis.blur_slices(hu, spacing, rng)
    if chance(0.6):
        hu = synthesis.add_noise(hu, rng)
    if chance(0.35):
        hu, outside = synthesis.pad_outside_circle(hu, rng)
        face = face & ~outside
    return np.clip(hu, -3024, 3071).astype(np.int16), face.astype(np.uint8)


def plain_variant(head, spacing):
    """The head itself on the model's grid, nothing added."""
    hu, face = pose(head, spacing, (0.0, 0.0, 0.0), 1.0)
    return hu.astype(np.int16), face.astype(np.uint8)
