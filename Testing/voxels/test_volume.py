"""Geometry and stored values: any orientation, any scaling."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from CTADefaceLib.errors import InputError
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_view
from helpers import phantom

ORIENTATIONS = ["".join(signs) for axes in itertools.permutations(["LR", "AP", "SI"]) for signs in itertools.product(*axes)]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_gives_the_same_ras_view(orientation):
    hu = phantom.head_parts()[0]
    scan = phantom.image(hu, orientation)
    view = ras_view(sitk.GetArrayFromImage(scan), Geometry.from_image(scan))
    assert np.array_equal(view, hu)


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "SAL"])
def test_oblique_axes_go_to_the_nearest_ras_axis(orientation):
    hu = phantom.head_parts()[0]
    scan = phantom.image(hu, orientation, rotation_deg=30)
    assert np.array_equal(ras_view(sitk.GetArrayFromImage(scan), Geometry.from_image(scan)), hu)


def test_the_order_of_axes_is_itks_for_any_direction():
    for number, direction in enumerate(Rotation.random(300, random_state=0).as_matrix()):
        direction = direction @ np.diag([1, 1, (-1) ** number])
        letters = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction.ravel().tolist())
        wanted = [
            next((axis, letter == back) for axis, letter in enumerate(letters) if letter in (ahead, back))
            for ahead, back in ("RL", "AP", "SI")
        ]
        assert Geometry((1, 1, 1), (0, 0, 0), direction).ras_order() == wanted


def test_writing_to_the_view_writes_to_the_stored_array():
    scan = phantom.image(phantom.head_parts()[0], "ILP")
    array = sitk.GetArrayFromImage(scan)
    view = ras_view(array, Geometry.from_image(scan))
    view[-1, -1, -1] = 77
    superior_anterior_right = scan.TransformPhysicalPointToIndex(
        phantom.image(phantom.head_parts()[0]).TransformIndexToPhysicalPoint((63, 79, 79))
    )
    assert array[superior_anterior_right[::-1]] == 77


def test_affine_round_trip_is_exact_and_matches():
    scan = phantom.image(phantom.head_parts()[0], "PIR", rotation_deg=17)
    geometry = Geometry.from_image(scan)
    again = Geometry.from_affine(geometry.affine())
    assert geometry.matches(again)
    moved = Geometry(geometry.spacing, (geometry.origin[0] + 0.5, *geometry.origin[1:]), geometry.direction)
    assert not geometry.matches(moved)


def test_ras_spacing_follows_the_axes():
    scan = sitk.Image([4, 5, 6], sitk.sitkInt16)
    scan.SetSpacing([1.0, 2.0, 3.0])
    scan.SetDirection([0, 0, 1, 1, 0, 0, 0, 1, 0])
    # i runs along y (A), j along z (S), k along x (R)
    assert Geometry.from_image(scan).ras_spacing() == (2.0, 1.0, 3.0)


def test_singular_affine_is_refused():
    with pytest.raises(InputError, match="geometry is unusable"):
        Geometry.from_affine(np.diag([1.0, 1.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    "dtype, slope, intercept",
    [
        (np.int16, 1, 0),
        (np.uint16, 1, -1024),
        (np.int16, 0.5, -100),
        (np.float32, 1, 0),
        (np.uint8, 10, -1000),
        (np.int32, 1, 0),
    ],
)
def test_hu_to_stored_is_the_inverse_within_rounding(dtype, slope, intercept):
    volume = Volume(np.zeros((2, 2, 2), dtype), phantom.head().geometry, slope, intercept)
    stored = volume.from_hu(-123.0)
    assert stored.dtype == dtype
    assert abs(float(volume.to_hu(np.array([stored]))[0]) + 123.0) <= abs(slope) / 2


def test_from_hu_clips_to_the_dtype():
    volume = Volume(np.zeros((2, 2, 2), np.uint16), phantom.head().geometry, 1, -1024)
    assert volume.from_hu(-3000) == 0
    assert volume.to_hu(np.array([0], np.uint16))[0] == -1024
