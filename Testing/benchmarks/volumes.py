"""Head CTs of 512 x 512 x N voxels for the speed benchmark, resampled from a real head.

The head is ``native/pycerr-hn1`` of the check data (vertex to shoulders, with couch and head board), or the public
InVesalius cranium (vertex to upper lip) when that is absent. The field of view is 240 x 240 mm (0.469 mm) around
the skull and 240 mm high, as of a head CTA: 0.6 mm slices at N = 400, thicker ones below. Slices are never thinner than
0.5 mm, so that N = 800 covers 400 mm; below the source's last slice it is repeated as neck (the cranium: air).
Interpolation is linear; noise of 15 HU, correlated over neighbouring pixels as a soft kernel leaves it, is
added with a fixed seed and cut off at -1024 HU, so that gzip and thresholds work as hard as on a scan.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from common import CHECK_DATA

COLUMNS = 512
FIELD_MM = 240.0
LEAST_SLICE_MM = 0.5
ABOVE_VERTEX_MM = 4.0
# The skull's middle lies behind the middle of a field that holds the nose too.
NOSE_MM = 12.0
SKULL_HU = 300
SKULL_HEIGHT_MM = 120.0
NOISE_HU = 15.0
NOISE_PIXELS = 0.7
LEAST_HU = -1024
AIR_HU = -1000.0
SEED = 1
# Part of the file name; to be raised when the recipe changes, so that old files are not taken for new ones.
RECIPE = 1


def volume_path(folder, slices):
    """Where the volume of ``slices`` slices is kept."""
    return Path(folder) / f"head{RECIPE}-{source_name()}-{slices:04d}.nii.gz"


def source_name():
    return "hn1" if _native().is_file() else "cranium"


def _native():
    return CHECK_DATA / "native" / "pycerr-hn1_image.nii.gz"


def read_source():
    """The source as a ``SimpleITK.Image`` (float32 HU, stored RAS+), and whether it reaches the neck."""
    if source_name() == "hn1":
        path, neck = _native(), True
    else:
        from CTADefaceLib.files.public_head import public_head

        path, neck = public_head(), False
    return sitk.DICOMOrient(sitk.ReadImage(str(path), sitk.sitkFloat32), "RAS"), neck


def skull_centre(image):
    """Middle (R, A) in mm from the first voxel of the largest piece of bone in the upper 120 mm."""
    spacing = image.GetSpacing()
    bone = sitk.GetArrayViewFromImage(image)[-int(SKULL_HEIGHT_MM / spacing[2]) :, ::2, ::2] > SKULL_HU
    labels, _ = ndi.label(bone)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    _, rows, columns = ndi.find_objects(labels)[sizes.argmax() - 1]
    return tuple((s.start + s.stop) * spacing[axis] for axis, s in ((0, columns), (1, rows)))


def make_volume(slices):
    """The volume as a ``SimpleITK.Image``, int16 HU, stored RAS+."""
    image, neck = read_source()
    right, anterior = skull_centre(image)
    spacing = (FIELD_MM / COLUMNS, FIELD_MM / COLUMNS, max(FIELD_MM / slices, LEAST_SLICE_MM))
    corner = [
        right - FIELD_MM / 2,
        anterior + NOSE_MM - FIELD_MM / 2,
        image.GetSize()[2] * image.GetSpacing()[2] + ABOVE_VERTEX_MM - slices * spacing[2],
    ]
    # In mm from the source's first voxel along its axes, whatever its own origin.
    image.SetOrigin((0, 0, 0))
    image.SetDirection(np.eye(3).ravel().tolist())
    fine = sitk.Resample(
        image, (COLUMNS, COLUMNS, slices), sitk.Transform(), sitk.sitkLinear, corner, spacing, image.GetDirection(), AIR_HU
    )
    below = int(np.ceil(-corner[2] / spacing[2])) if neck else 0
    result = sitk.GetImageFromArray(_with_noise(sitk.GetArrayFromImage(fine), max(below, 0)))
    result.SetSpacing(spacing)
    result.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # ITK counts LPS: this is RAS+ storage
    return result


def _with_noise(hu, repeated):
    """int16 with noise of its own in every slice; the first ``repeated`` slices are the one above them."""
    random = np.random.default_rng(SEED)
    result = np.empty(hu.shape, np.int16)
    for number in range(len(hu)):
        noise = ndi.gaussian_filter(random.standard_normal(hu.shape[1:], np.float32), NOISE_PIXELS)
        noisy = hu[max(number, repeated)] + noise * (NOISE_HU / noise.std())
        result[number] = np.rint(np.maximum(noisy, LEAST_HU))
    return result


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slices", type=int)
    parser.add_argument("folder", type=Path, help="made once and kept here")
    args = parser.parse_args(argv)
    path = volume_path(args.folder, args.slices)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name("unfinished-" + path.name)
        sitk.WriteImage(make_volume(args.slices), str(unfinished), useCompression=True)
        unfinished.replace(path)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
