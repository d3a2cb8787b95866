"""What the Python interface takes, what comes back in the same form, and what it refuses by name."""

import pickle

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib import Geometry, InputError, MaskError, deface, fill_face, segment_face
from CTADefaceLib.checks.check import TITLES


@pytest.fixture(scope="module")
def files(small_cranium, tmp_path_factory):
    """Folder with a real head as head.nii.gz and scaled.nii (stored 2 * HU + 2048, as its slope says), and half.nii.gz, a
    mask."""
    folder = tmp_path_factory.mktemp("forms")
    sitk.WriteImage(small_cranium, str(folder / "head.nii.gz"))
    mask = sitk.GetArrayFromImage(small_cranium) * 0
    mask[:, 45:, :] = 1
    mask = sitk.GetImageFromArray(mask.astype(np.uint8))
    mask.CopyInformation(small_cranium)
    sitk.WriteImage(mask, str(folder / "half.nii.gz"))
    head = nibabel.load(folder / "head.nii.gz")
    scaled = nibabel.Nifti1Image((np.asarray(head.dataobj) * 2 + 2048).astype(np.uint16), head.affine, head.header)
    scaled.set_data_dtype(np.uint16)
    scaled.header.set_slope_inter(0.5, -1024)
    scaled.header["descrip"] = b"a real head"
    scaled.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"anything"))
    nibabel.save(scaled, folder / "scaled.nii")
    return folder


@pytest.fixture(scope="module")
def half(files):
    return sitk.ReadImage(str(files / "half.nii.gz"))


@pytest.fixture(scope="module")
def filled(small_cranium, half):
    """HU (k, j, i) of the head after the fill with the mask, by SimpleITK images."""
    return sitk.GetArrayFromImage(fill_face(small_cranium, half, fill="air"))


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_gives_an_image_in_hu(files, filled, small_cranium, kind):
    for name, pixels in (("head.nii.gz", sitk.sitkInt16), ("scaled.nii", sitk.sitkFloat32)):
        result = fill_face(kind(files / name), kind(files / "half.nii.gz"), fill="air")
        assert result.GetPixelID() == pixels
        assert np.array_equal(sitk.GetArrayFromImage(result), filled)
        assert np.allclose(result.GetDirection(), small_cranium.GetDirection())
        assert np.allclose(result.GetOrigin(), small_cranium.GetOrigin(), atol=1e-3)


def test_a_nibabel_image_comes_back_with_its_header_and_stored_values(files, filled, tmp_path):
    for name in ("head.nii.gz", "scaled.nii"):
        image = nibabel.load(files / name)
        result = fill_face(image, nibabel.load(files / "half.nii.gz"), fill="air")
        assert isinstance(result, nibabel.Nifti1Image) and np.array_equal(result.affine, image.affine)
        assert result.get_data_dtype() == image.get_data_dtype() and result.header["descrip"] == image.header["descrip"]
        assert np.array_equal(result.get_fdata().T, filled)
        again = pickle.loads(pickle.dumps(result))
        assert np.array_equal(again.get_fdata(), result.get_fdata())
        nibabel.save(result, tmp_path / name)
        saved = nibabel.load(tmp_path / name)
        same = (filled == np.asarray(image.dataobj).T).T
        assert 0 < same.mean() < 1
        assert np.array_equal(saved.dataobj.get_unscaled()[same], image.dataobj.get_unscaled()[same])
        assert (saved.dataobj.slope, saved.dataobj.inter) == (image.dataobj.slope, image.dataobj.inter)
        # They could hold the head.
        assert not saved.header.extensions and not result.header.extensions


def test_a_simpleitk_image_comes_back_without_dicom_tags_and_long_texts(small_cranium, half):
    image = sitk.Image(small_cranium)
    for key, text in {"0010|0010": "Secret^Jane", "note": "seen", "picture": "QUJD" * 900}.items():
        image.SetMetaData(key, text)
    result = fill_face(image, half, fill="air")
    assert set(result.GetMetaDataKeys()) - set(small_cranium.GetMetaDataKeys()) == {"note"}


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["RAS", "LPS", "PIR"])
def test_the_orientation_of_a_nibabel_image_is_followed(files, filled, kind, order):
    image = nibabel.load(files / "head.nii.gz")
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(tuple(order))
    )
    turned = image.as_reoriented(turn)
    turned = kind(turned.get_fdata().astype(np.float32)[..., None], turned.affine)
    turned.header.set_xyzt_units("mm")
    result = fill_face(turned, nibabel.load(files / "half.nii.gz").as_reoriented(turn), fill="air")
    assert type(result) is kind and result.shape == turned.shape and result.get_data_dtype() == np.float32
    back = nibabel.Nifti1Image(np.asarray(result.dataobj)[..., 0], result.affine).as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(result.affine), nibabel.io_orientation(image.affine))
    )
    assert np.array_equal(back.get_fdata().T, filled)


def test_units_of_a_nibabel_image_are_followed(files, filled):
    image = nibabel.load(files / "head.nii.gz")
    metres = nibabel.Nifti1Image(np.asarray(image.dataobj), np.diag([0.001, 0.001, 0.001, 1]) @ image.affine)
    metres.header.set_xyzt_units("meter")
    assert np.array_equal(fill_face(metres, files / "half.nii.gz", fill="air").get_fdata().T, filled)
    metres.header["xyzt_units"] = 7
    with pytest.raises(InputError, match=r"^image: its unit of length"):
        fill_face(metres, files / "half.nii.gz")


def test_a_mask_in_nibabel_form_is_a_mask(files):
    image = nibabel.load(files / "scaled.nii")
    image.header["cal_max"] = 300
    result = deface(
        image,
        files / "half.nii.gz",
        fill="air",
        second_opinion=False,
        overrides=dict.fromkeys(TITLES, "half a head"),
    )
    assert result.mask.get_data_dtype() == np.uint8 and set(np.unique(result.mask.get_fdata())) == {0, 1}
    assert np.array_equal(result.mask.get_fdata(), nibabel.load(files / "half.nii.gz").get_fdata())
    assert result.mask.header["cal_max"] == 0


def test_arrays_come_back_with_their_geometry(small_cranium, half, filled):
    array, mask, geometry = sitk.GetArrayFromImage(small_cranium), sitk.GetArrayFromImage(half), Geometry.from_image(half)
    # As SimpleITK itself gives it: nine numbers in a row.
    flat = Geometry(half.GetSpacing(), half.GetOrigin(), half.GetDirection())
    for drawn in (mask, mask > 0, (mask, geometry), (mask > 0, flat), (mask.astype(float), flat), half):
        result, where = fill_face((array, flat), drawn, fill="air")
        assert np.array_equal(result, filled) and result.dtype == array.dtype and where is flat


class Tensor:
    """What some other package calls its array."""

    __module__ = "torch"


def test_anything_else_is_refused_by_its_name(small_cranium, half, files, tmp_path):
    array, geometry = sitk.GetArrayFromImage(small_cranium), Geometry.from_image(small_cranium)
    (tmp_path / "slice.dcm").write_bytes(b"")
    refused = {
        "NoneType": None,
        "list": [array, geometry],
        "int": 3,
        "bytes": b"head.nii.gz",
        "dict": {"image": array},
        "torch.Tensor": Tensor(),
        r"\(numpy.ndarray, NoneType\)": (array, None),
        r"\(torch.Tensor, CTADefaceLib.Geometry\)": (Tensor(), geometry),
        r"\(numpy.ndarray\)": (array,),
        "nibabel.MGHImage": nibabel.MGHImage(array.T, geometry.affine()),
        "needs its Geometry": array,
        "3-D": sitk.Image(3, 3, sitk.sitkInt16),
        "three numbers": (array, Geometry((1, 1), (0, 0, 0), np.eye(3))),
        "cta-deface run": tmp_path,
        "deface_dicom": str(tmp_path / "slice.dcm"),
        "no such file": tmp_path / "none.nii",
    }
    for name, thing in refused.items():
        for what, call in (
            ("image", segment_face),
            ("image", deface),
            ("image", lambda thing: fill_face(thing, half)),
            ("mask", lambda thing: fill_face(small_cranium, thing)),
        ):
            with pytest.raises(InputError, match=name) as caught:
                call(thing)
            assert str(caught.value).startswith((what, str(tmp_path)))
    with pytest.raises(InputError) as caught:
        deface(None)
    assert all(taken in str(caught.value) for taken in ("path", "SimpleITK.Image", "nibabel.Nifti1Image", "(array, Geometry)"))


def test_a_mask_without_a_grid_of_its_own_is_no_guess(small_cranium, half, files):
    mask = sitk.GetArrayFromImage(half)
    for image in (small_cranium, nibabel.load(files / "head.nii.gz"), files / "head.nii.gz"):
        with pytest.raises(InputError, match=r"^mask: a numpy array alone"):
            fill_face(image, mask)
    with pytest.raises(MaskError, match="grid"):
        fill_face((sitk.GetArrayFromImage(small_cranium), Geometry.from_image(small_cranium)), mask[1:])


def test_a_truncated_file_behind_a_nibabel_image_is_an_input_error(files, tmp_path):
    (tmp_path / "cut.nii").write_bytes((files / "scaled.nii").read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"^image: its file cannot be read"):
        segment_face(nibabel.load(tmp_path / "cut.nii"))


def test_a_wrong_step_size_is_refused(small_cranium):
    for size in (0, 1.5, float("nan")):
        for call in (segment_face, deface):
            with pytest.raises(InputError, match="step_size"):
                call(small_cranium, step_size=size)
