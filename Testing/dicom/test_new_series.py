"""A new CT series of a volume that did not come from DICOM: the same voxels at the same places, or a refusal."""

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.dicom.deface_series import compare_series
from CTADefaceLib.dicom.new_series import as_slices, write_new_series
from CTADefaceLib.errors import InputError
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers import dicom_readers as readers
from helpers import phantom


def volume_of(image):
    return Volume(sitk.GetArrayFromImage(image), Geometry.from_image(image), name="made")


@pytest.mark.parametrize("orientation, degrees", [("LPS", 0), ("RAS", 0), ("LPI", 0), ("PIR", 0), ("LPS", 20), ("SAL", 30)])
def test_voxels_and_places_are_those_of_the_volume(orientation, degrees, tmp_path):
    image = phantom.image(phantom.head_parts()[0], orientation, degrees)
    volume = volume_of(image)
    slices = as_slices(volume, volume.stored)
    write_new_series(slices, tmp_path)
    back, different = compare_series(tmp_path, slices.stored)
    assert different == 0 and back.geometry.matches(slices.geometry)
    # GDCM puts them at the same places of the patient.
    read = sitk.ReadImage([str(path) for path in readers.sorted_files(tmp_path)])
    again = sitk.Resample(read, image, sitk.Transform(), sitk.sitkNearestNeighbor, 777)
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image))


def test_a_validator_finds_nothing(tmp_path):
    if not readers.have("dciodvfy"):
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    volume = phantom.head()
    write_new_series(as_slices(volume, volume.stored), tmp_path)
    paths = readers.sorted_files(tmp_path)
    assert len(paths) == 80 and all(readers.validator_errors(path) == set() for path in paths[::20])


def test_what_a_series_cannot_say_is_refused():
    volume = phantom.head()
    with pytest.raises(InputError, match="cannot hold"):
        as_slices(volume, volume.stored.astype(np.float32) + 1e5)
    sheared = volume.geometry.direction.copy()
    sheared[:, 2] = [0.0, np.sin(0.3), np.cos(0.3)]
    with pytest.raises(InputError, match="right angles"):
        as_slices(Volume(volume.stored, Geometry(volume.geometry.spacing, volume.geometry.origin, sheared)), volume.stored)
