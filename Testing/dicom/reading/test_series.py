"""Which series are there, what are they, and do their slices make a volume? On DICOM files of every form."""

import json
import shutil

import numpy as np
import pytest

from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.reading.grid import mask_on_stack, upright
from CTADefaceLib.dicom.reading.read_series import read_stack
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.dicom.reading.stack import stack_of
from CTADefaceLib.errors import InputError
from CTADefaceLib.voxels.volume import Geometry
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers

FORMS = {
    "implicit": {"syntax": "implicit"},
    "big endian": {"syntax": "big endian"},
    "deflated": {"syntax": "deflated"},
    "RLE": {"syntax": "RLE"},
    "JPEG 2000": {"syntax": "JPEG 2000"},
    "JPEG-LS": {"syntax": "JPEG-LS", "rescale": (1.0, 0.0)},
    "JPEG lossless": {"syntax": "JPEG lossless", "bits": (12, False)},
    "unsigned 12": {"bits": (12, False)},
    "signed 12": {"bits": (12, True), "rescale": (1.0, 0.0)},
    "unsigned 16": {"bits": (16, False), "rescale": (1.0, -8192.0)},
    "fraction": {"rescale": (0.5, -1024.5)},
    "per slice": {"rescale": lambda k: (1.0 + (k % 3) * 0.25, -1000.0 - k)},
    "per slice, whole": {"rescale": lambda k: (1.0, -1000.0 - k)},
}


def only_stack(folder):
    found = find_series(folder).series
    assert len(found) == 1
    return stack_of(found[0])


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_pixels_becomes_the_same_hu_in_the_order_of_positions(tmp_path, form):
    shape = maker.upright(count=12)
    maker.write_series(tmp_path, shape, **FORMS[form])
    stack = only_stack(tmp_path)
    volume = read_stack(stack, "test")
    assert np.all(np.diff(stack.heights) > 0)
    hu = maker.phantom_at(shape.points())
    largest = 0.7 if form == "per slice" else 0.0
    assert np.abs(volume.to_hu(volume.stored).astype(float) - hu).max() <= largest
    assert volume.stored.dtype == {"per slice": np.float32, "unsigned 16": np.uint16}.get(form, np.int16)
    assert volume.geometry.matches(Geometry((3.0,) * 3, tuple(shape.positions[0]), np.eye(3)))


def test_an_enhanced_file_is_the_volume_that_its_frames_are(tmp_path):
    shape = maker.upright(count=20)
    maker.write_enhanced(tmp_path / "enhanced.dcm", shape)
    maker.write_series(tmp_path / "single", shape)
    found = find_series(tmp_path).series
    one, other = (read_stack(stack_of(series), "test") for series in found)
    assert len(found) == 2 and np.array_equal(one.stored, other.stored) and one.geometry.matches(other.geometry)


def study_of_many_kinds(folder):
    study = maker.Study()
    short = maker.upright(count=4)
    maker.write_series(folder / "ct", short, study)
    maker.write_series(
        folder / "scout",
        maker.Shape(short.positions[:1], maker.SAGITTAL),
        study,
        number=2,
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    )
    maker.write_series(folder / "mpr", maker.sagittal(), study, number=3, image_type=("DERIVED", "SECONDARY", "MPR"))
    maker.write_series(folder / "mip", short, study, number=4, image_type=("DERIVED", "SECONDARY", "AXIAL", "MIP"))
    maker.write_series(
        folder / "dose",
        maker.Shape(short.positions[:1]),
        study,
        number=5,
        image_type=("DERIVED", "SECONDARY", "SCREEN SAVE", "DOSE_INFO"),
    )
    for number, (name, sop_class, modality) in enumerate(
        (
            ("capture", "1.2.840.10008.5.1.4.1.1.7", "OT"),
            ("report", "1.2.840.10008.5.1.4.1.1.88.67", "SR"),
            ("contours", "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"),
            ("dose", "1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE"),
            ("seg", "1.2.840.10008.5.1.4.1.1.66.4", "SEG"),
            ("mr", "1.2.840.10008.5.1.4.1.1.4", "MR"),
        ),
        6,
    ):
        maker.write_other(folder / "other" / f"{name}.dcm", sop_class, modality, study, SeriesNumber=number)
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00zzzz" * 3)
    return study


def test_each_series_is_named_and_none_is_passed_over(tmp_path, capsys):
    study_of_many_kinds(tmp_path)
    assert main(["series", str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # A file that cannot be read belongs to no study, and comes first.
    assert [row["kind"] for row in rows] == [
        "unreadable",
        "CT",
        "localizer",
        "derived CT (MPR)",
        "projection or rendering",
        "dose report",
        "secondary capture",
        "dose report",
        "RTSTRUCT",
        "RTDOSE",
        "segmentation",
        "other",
    ]
    assert {row["kind"] for row in rows if row["can_be_defaced"]} == {"CT", "derived CT (MPR)"}
    assert [row["number"] for row in rows] == list(range(1, 13))
    sagittal = next(row for row in rows if row["kind"] == "derived CT (MPR)")
    assert sagittal["plane"] == "sagittal" and sagittal["images"] == 64 and sagittal["slice_mm"] == 3
    broken = next(row for row in rows if row["kind"] == "unreadable")
    assert "broken.dcm" in broken["problem"]
    assert main(["series", str(tmp_path)]) == 0
    assert "localizer" in capsys.readouterr().out


def test_a_folder_without_dicom_is_refused(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("text")
    assert main(["series", str(tmp_path)]) == 4
    assert "holds no DICOM files" in capsys.readouterr().err
    with pytest.raises(InputError, match="no such file"):
        find_series(tmp_path / "none.dcm")


def without(number):
    return lambda shape: np.delete(shape.positions, number, axis=0)


def no_position(dataset, k):
    if k == 5:
        del dataset.ImagePositionPatient


def other_pixels(dataset, k):
    if k == 5:
        dataset.PixelSpacing = [3.0, 2.5]


def no_rescale(dataset, k):
    del dataset.RescaleSlope


def table(dataset, k):
    dataset.ModalityLUTSequence = [maker.item(LUTDescriptor=[1, 0, 16], ModalityLUTType="HU")]


def high_bit(dataset, k):
    dataset.HighBit = 15


def not_a_number(dataset, k):
    if k == 5:
        dataset.PixelSpacing = [0.0, 3.0]


REFUSED = {
    "missing": (without(5), None, "slices are missing between"),
    "two missing": (without([5, 6]), None, "slices are missing between"),
    "missing at the end": (without(10), None, "slices are missing between"),
    "duplicate": (lambda s: np.concatenate([s.positions, s.positions[4:6]]), None, "where another one lies"),
    "far apart": (lambda s: s.positions * [1, 1, 0] + np.arange(12)[:, None] ** 2 * [0, 0, 1.0], None, "mm apart"),
    "single": (lambda s: s.positions[:1], None, "single slice"),
    "no position": (None, no_position, "ImagePositionPatient is missing"),
    "two pixel sizes": (None, other_pixels, "different pixel sizes"),
    "no rescale": (None, no_rescale, "slope or intercept"),
    "look-up table": (None, table, "look-up table"),
    "high bit": (None, high_bit, "end at bit"),
    "no pixel size": (None, not_a_number, "unusable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_volume_is_refused_with_the_reason(tmp_path, case):
    positions, change, reason = REFUSED[case]
    shape = maker.upright(count=12)
    if positions:
        shape.positions = positions(shape)
    maker.write_series(
        tmp_path,
        shape,
        hu=np.zeros((len(shape.positions), 80, 64)),
        change=change,
        bits=(12, False) if case == "high bit" else (16, True),
    )
    with pytest.raises(InputError, match=reason) as caught:
        only_stack(tmp_path)
    assert str(caught.value).startswith("series ") and ";" in str(caught.value)


def test_copies_of_a_file_count_once_and_two_files_of_one_uid_are_refused(tmp_path):
    maker.write_series(tmp_path / "a", maker.upright(count=6))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert len(only_stack(tmp_path).planes) == 6
    copy = next((tmp_path / "b").iterdir())
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    with pytest.raises(InputError, match="one SOP instance UID"):
        only_stack(tmp_path)


def test_truncated_pixels_are_refused(tmp_path):
    maker.write_series(tmp_path, maker.upright(count=4))
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"truncated|cannot be read"):
        read_stack(only_stack(tmp_path), "test")


def test_orientations_in_one_series_are_told_apart(tmp_path):
    study = maker.Study()
    uid = maker.generate_uid()

    def one_series(dataset, k):
        dataset.SeriesInstanceUID = uid

    maker.write_series(tmp_path / "a", maker.upright(count=6), study, change=one_series)
    maker.write_series(tmp_path / "b", maker.sagittal(), study, change=one_series)
    found = find_series(tmp_path).series
    assert sorted(len(stack_of(s).planes) for s in found) == [6, 64] and {s.uid for s in found} == {uid}
    assert main(["run", str(tmp_path), "-o", str(tmp_path.with_name("out")), "--series", uid, "--quiet"]) == 4


def uneven_shape():
    """3 mm slices below, 6 mm above: the two zones of a sequential head CT."""
    shape = maker.upright()
    shape.positions = np.concatenate([shape.positions[:40], shape.positions[40::2]])
    return shape


@pytest.mark.parametrize("make", [maker.tilted, uneven_shape])
def test_tilted_and_uneven_stacks_get_an_upright_even_grid(tmp_path, make):
    shape = make()
    maker.write_series(tmp_path, shape)
    stack = only_stack(tmp_path)
    assert not stack.upright and stack.tilt_deg == pytest.approx(18 if make is maker.tilted else 0, abs=0.01)
    seen = upright(read_stack(stack, "test"), stack)
    k, j, i = (np.arange(n) for n in seen.stored.shape)
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = seen.geometry.direction * seen.geometry.spacing, seen.geometry.origin
    grid = np.stack(np.meshgrid(k, j, i, indexing="ij"), -1)[..., ::-1]
    truth = maker.phantom_at(grid @ lps[:3, :3].T + lps[:3, 3])
    # What the slices did not see is not asked for.
    seen_by_slices = np.zeros(truth.shape, bool)
    seen_by_slices[2:-2] = True
    body = dice((truth > -300) & seen_by_slices, (seen.stored > -300) & seen_by_slices)
    assert np.allclose(seen.geometry.direction.T @ seen.geometry.direction, np.eye(3), atol=1e-6)
    assert body > 0.97


@pytest.mark.parametrize("make", [maker.upright, maker.tilted, maker.oblique, maker.sagittal, uneven_shape])
def test_a_mask_comes_to_lie_on_the_slices_where_the_face_is(tmp_path, make):
    shape = make()
    maker.write_series(tmp_path, shape, hu=np.zeros((len(shape.positions), shape.rows, shape.columns)))
    found = mask_on_stack(np.asarray(maker.parts()[1], bool), maker.phantom_geometry(), only_stack(tmp_path))
    truth = maker.phantom_at(shape.points(), part=1) > 0
    assert dice(found, truth) > (0.999 if make is maker.upright else 0.96)


def test_thick_slices_take_a_mask_by_how_much_of_them_it_covers(tmp_path):
    thick = maker.upright(count=20, spacing=12.0, thickness=12.0)
    # Slice k holds the voxels 4 k to 4 k + 3 of the phantom.
    thick.positions = thick.positions + [0, 0, 4.5]
    maker.write_series(tmp_path, thick, hu=np.zeros((20, 80, 64)))
    mask = np.zeros(maker.parts()[0].shape, bool)
    mask[4:5], mask[8:11], mask[29:36] = True, True, True
    found = mask_on_stack(mask, maker.phantom_geometry(), only_stack(tmp_path)).mean((1, 2))
    # A quarter of slice 1, three quarters of 2 and of 7, all of 8.
    assert np.flatnonzero(found > 0.5).tolist() == [2, 7, 8]


def test_the_real_series_is_read_as_gdcm_reads_it(real_series):
    stack = only_stack(real_series)
    volume = read_stack(stack, "real")
    assert len(stack.planes) == 90 and stack.upright
    assert volume.geometry.spacing == pytest.approx((1.0, 1.0, 3.0))
    paths = [plane.path for plane in stack.planes[::15]]
    assert np.array_equal(volume.to_hu(volume.stored[::15]), readers.by_gdcm(paths))
