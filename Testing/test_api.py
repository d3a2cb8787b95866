"""The bundled model on a real head, through the Python interface."""

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib import Geometry, Progress, deface, fill_face, segment_face
from CTADefaceLib.errors import Cancelled, NoFaceError


def dice(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def face(small_cranium):
    return segment_face(small_cranium)


def array(image):
    return sitk.GetArrayFromImage(image)


def test_face_lies_in_front_and_holds_no_bone(small_cranium, face):
    mask, hu = array(face) > 0, array(small_cranium)
    millilitres = mask.sum() * np.prod(face.GetSpacing()) / 1000
    assert 150 < millilitres < 600
    # Stored RAS+: axis 1 grows to anterior.
    assert np.argwhere(mask)[:, 1].mean() > np.argwhere(hu > 0)[:, 1].mean() + 30 / face.GetSpacing()[1]
    assert (hu[mask] > 300).mean() < 0.01


def test_image_result_has_the_inputs_grid_and_type(small_cranium, face):
    result = deface(small_cranium, mask=face, fill="published")
    assert result.volume.GetPixelID() == small_cranium.GetPixelID()
    for image in (result.volume, result.mask):
        assert image.GetSize() == small_cranium.GetSize()
        assert image.GetOrigin() == small_cranium.GetOrigin()
        assert image.GetDirection() == small_cranium.GetDirection()
    outside = array(face) == 0
    assert np.array_equal(array(result.volume)[outside], array(small_cranium)[outside])
    assert len(np.unique(array(result.volume)[~outside])) == 1


def test_the_model_is_asked_about_a_given_mask_unless_told_not_to(small_cranium, face):
    changed = sitk.Image(face)
    changed[np.argwhere(array(face))[0][::-1].tolist()] = 0

    def opinion(mask, **options):
        return next(check for check in deface(small_cranium, mask, **options).checks if check.name == "model_face")

    assert opinion(changed).verdict == "pass"
    assert "No model" in opinion(changed, second_opinion=False).text
    assert "model's own" in opinion(None).text and "model's own" in opinion(face).text


@pytest.mark.parametrize("orientation", ["LPS", "LAS", "PIR", "SRA", "ILP"])
def test_mask_does_not_depend_on_the_stored_orientation(small_cranium, face, orientation):
    mask = segment_face(sitk.DICOMOrient(small_cranium, orientation))
    assert dice(array(sitk.DICOMOrient(mask, "RAS")), array(face)) > 0.999


def test_oblique_axes_give_nearly_the_same_mask(small_cranium, face):
    turned = sitk.Image(small_cranium)
    angle = np.deg2rad(15)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    turned.SetDirection((turn @ np.array(turned.GetDirection()).reshape(3, 3)).ravel().tolist())
    assert dice(array(segment_face(turned)), array(face)) > 0.999


def test_array_with_geometry_equals_image(small_cranium, face):
    mask, geometry = segment_face((array(small_cranium), Geometry.from_image(small_cranium)))
    assert np.array_equal(mask, array(face))
    filled, _ = fill_face((array(small_cranium), geometry), (mask, geometry), fill="air")
    assert np.all(filled[mask > 0] == -1000)


def test_float_and_unsigned_storage_give_the_same_mask(small_cranium, face):
    as_float = segment_face(sitk.Cast(small_cranium, sitk.sitkFloat32))
    assert dice(array(as_float), array(face)) > 0.999


def test_brain_only_volume_has_no_face(small_cranium, face):
    top = int(np.argwhere(array(face).any((1, 2))).max())
    brain = small_cranium[:, :, top + 3 :]
    with pytest.raises(NoFaceError, match="no face found"):
        deface(brain)
    assert not array(segment_face(brain)).any()


@pytest.mark.parametrize("stage", ["load model", "segment", "refine"])
def test_cancelling_stops_the_run(small_cranium, stage):
    progress = Progress(lambda report: report.stage == stage and progress.cancel())
    with pytest.raises(Cancelled):
        segment_face(small_cranium, progress=progress)


def test_padding_outside_the_circle_changes_neither_mask_nor_padding(small_cranium, face):
    hu = array(small_cranium)
    _, rows, columns = np.indices(hu.shape)
    centre = np.array(hu.shape[1:]) / 2
    outside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 > (min(hu.shape[1:]) / 2 * 1.1) ** 2
    hu[outside] = -3024
    result = deface((hu, Geometry.from_image(small_cranium)))
    defaced, mask = result.volume[0], result.mask[0]
    assert dice(mask, array(face) * ~outside) > 0.97
    assert np.all(defaced[outside] == -3024)
    assert -1100 < defaced[mask > 0][0] < -900


def test_mirroring_and_step_size_are_options_that_change_little(small_cranium, face):
    mask = segment_face(small_cranium, mirroring=True, step_size=0.75)
    assert 0.93 < dice(array(mask), array(face)) < 1.0


def test_deface_gives_nothing_back_when_a_check_fails(small_cranium):
    from CTADefaceLib.errors import ChecksFailed

    size = small_cranium.GetSize()
    box = sitk.Image(size, sitk.sitkUInt8)
    box.CopyInformation(small_cranium)
    box[30:50, 30:50, 10:20] = 1
    with pytest.raises(ChecksFailed) as caught:
        deface(small_cranium, mask=box, fill="air")
    reasons = {check.name: "only a box" for check in caught.value.checks}
    result = deface(small_cranium, mask=box, fill="air", overrides=reasons)
    assert {check.name for check in result.checks if check.verdict == "fail"} == set(reasons)
