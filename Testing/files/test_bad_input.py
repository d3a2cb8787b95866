"""Bad input: one sentence that names the input and the remedy, nothing written, exit code 4."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib import segment_face
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import DeviceError, InputError, MaskError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.voxels.ct_check import check_ct
from helpers import phantom
from helpers.nifti_file import nifti


def save(path, array, **header):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([2.0, 2, 2, 1])), path)
    return path


def folder(path, _):
    (path / "series").mkdir()
    return path / "series"


def truncated(path, hu):
    whole = nifti(path / "whole.nii.gz", hu)
    (path / "cut.nii.gz").write_bytes(whole.read_bytes()[:-2000])
    return path / "cut.nii.gz"


def damaged(path, hu):
    whole = bytearray(nifti(path / "damaged.nii.gz", hu).read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    (path / "damaged.nii.gz").write_bytes(whole)
    return path / "damaged.nii.gz"


def text(path, _):
    (path / "text.nii").write_text("not an image at all" * 50)
    return path / "text.nii"


def encrypted(path, _):
    (path / "secret.nii.gz").write_bytes(b"Salted__" + bytes(range(256)) * 8)
    return path / "secret.nii.gz"


def truncated_nrrd(path, hu):
    sitk.WriteImage(phantom.image(hu), str(path / "cut.nrrd"), False)
    data = (path / "cut.nrrd").read_bytes()
    (path / "cut.nrrd").write_bytes(data[: len(data) // 2])
    return path / "cut.nrrd"


def vector_nrrd(path, hu):
    pair = sitk.Compose(sitk.Cast(phantom.image(hu), sitk.sitkFloat32), sitk.Cast(phantom.image(hu), sitk.sitkFloat32))
    sitk.WriteImage(pair, str(path / "vector.nrrd"))
    return path / "vector.nrrd"


def with_nan(hu):
    array = hu.astype(np.float32)
    array[3, 4, 5] = np.nan
    return array


def with_infinity(hu):
    array = hu.astype(np.float32)
    array[3, 4, 5] = np.inf
    return array


RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])

CASES = {
    "missing": (lambda p, hu: p / "none.nii", "no such file"),
    "folder": (folder, "is a folder"),
    "extension": (lambda p, hu: p / "scan.jpg", "no such file|not a supported"),
    "text": (text, "cannot be read"),
    "encrypted": (encrypted, "cannot be read"),
    "truncated": (truncated, "cannot be read"),
    "damaged": (damaged, "cannot be read"),
    "truncated nrrd": (truncated_nrrd, "cannot be read"),
    "vector nrrd": (vector_nrrd, "2 values per voxel"),
    "rgb": (lambda p, hu: save(p / "rgb.nii", np.zeros((8, 8, 8), RGB)), "not single numbers"),
    "complex": (lambda p, hu: save(p / "complex.nii", np.zeros((8, 8, 8), np.complex64)), "not single numbers"),
    "2-D": (lambda p, hu: save(p / "flat.nii", hu[0]), "2-D"),
    "4-D": (lambda p, hu: save(p / "time.nii", np.stack([hu, hu], -1)), "4-D"),
    "single slice": (lambda p, hu: save(p / "one.nii", hu[:, :, :1]), "single slice"),
    "NaN": (lambda p, hu: save(p / "nan.nii", with_nan(hu)), "NaN or infinite"),
    "infinity": (lambda p, hu: save(p / "inf.nii", with_infinity(hu)), "NaN or infinite"),
    "MR": (lambda p, hu: save(p / "mr.nii", np.clip(hu + 1000, 0, 900).astype(np.int16)), "not CT numbers in HU"),
    "air": (lambda p, hu: save(p / "air.nii", np.full((20, 20, 20), -1000, np.int16)), "no soft tissue"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_a_sentence_and_nothing_written(tmp_path, capsys, case):
    make, reason = CASES[case]
    path = make(tmp_path, phantom.head_parts()[0])
    with pytest.raises(InputError, match=reason) as caught:
        check_ct(read_volume(path))
    assert (path.name.split(".")[0] in str(caught.value) and ";" in str(caught.value)) or case in ("missing", "extension")
    out = tmp_path / "out"
    assert main(["run", str(path), "-o", str(out), "--quiet"]) == 4
    printed = capsys.readouterr().out
    assert printed.startswith("FAILED") and printed.count("\n") == 1 and "unexpected" not in printed
    assert not out.exists() or list(out.iterdir()) == []


def test_unsupported_extension_names_the_supported_ones(tmp_path):
    path = tmp_path / "scan.jpg"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.nii\.gz"):
        read_volume(path)


def test_trailing_axes_of_length_one_are_accepted(tmp_path):
    hu = phantom.head_parts()[0]
    path = save(tmp_path / "single.nii", hu[..., None])
    assert read_volume(path).stored.shape == hu.T.shape


def test_volume_without_a_head_writes_nothing(tmp_path, capsys):
    rng = np.random.default_rng(0)
    body = np.full((60, 60, 60), -1000, np.int16)
    body[10:50, 10:50, :] = 40
    body = body + rng.integers(-9, 9, body.shape).astype(np.int16)
    path = save(tmp_path / "box.nii", body)
    assert main(["run", str(path), "-o", str(tmp_path / "out"), "--quiet"]) == 4
    assert "no face found" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_mask_of_another_grid_and_empty_mask(tmp_path, capsys):
    hu = phantom.head_parts()[0]
    path = save(tmp_path / "a.nii", hu)
    masks = {"shape": hu[:-1] > 0, "empty": hu > 9999}
    reasons = {"shape": "the mask's grid", "empty": "mask is empty", "moved": "the mask's grid"}
    for name, mask in masks.items():
        save(tmp_path / f"{name}.nii", mask.astype(np.uint8))
    nibabel.save(nibabel.Nifti1Image((hu > 0).astype(np.uint8), np.diag([2.0, 2, 2.1, 1])), tmp_path / "moved.nii")
    for name, reason in reasons.items():
        assert main(["run", str(path), "-o", str(tmp_path / "out"), "--mask", str(tmp_path / f"{name}.nii"), "--quiet"]) == 4
        assert reason in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_python_input_is_checked_too(head):
    with pytest.raises(InputError, match="3-D volume"):
        segment_face((np.zeros((5, 5)), head.geometry))
    with pytest.raises(InputError, match="single numbers"):
        segment_face((np.zeros((5, 5, 5), complex), head.geometry))
    with pytest.raises(InputError, match="3-D"):
        segment_face(sitk.Image([5, 5], sitk.sitkInt16))


def test_absent_device_is_named(head):
    import torch

    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceError, match=f"{absent}: no such device"):
        segment_face((head.stored, head.geometry), device=absent)


def test_mask_error_is_a_clear_sentence(head):
    from CTADefaceLib import fill_face

    with pytest.raises(MaskError, match="grid"):
        fill_face((head.stored, head.geometry), np.ones((4, 4, 4), bool))


def test_gzip_without_nifti_inside(tmp_path):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(b"hello" * 500))
    with pytest.raises(InputError, match="cannot be read"):
        read_volume(path)
