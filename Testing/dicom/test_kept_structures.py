"""Structures that are kept in a DICOM study: from labelmaps and RTSTRUCTs, in every series, bit-identical in the files."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.kept_structures import structures_of_files
from CTADefaceLib.dicom.reading.read_series import read_stack
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.dicom.reading.stack import stack_of
from CTADefaceLib.dicom.structure_set import RT_STRUCTURE_SET, inside, structures_of
from CTADefaceLib.errors import InputError, MaskError
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers


def circle(centre, radius, height, count=40):
    """A closed contour around LPS ``centre`` (x, y) at z = ``height``, (N, 3)."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), np.full(count, height)], 1)


def write_structures(path, study, structures, kind="CLOSED_PLANAR", frame=None):
    """An RTSTRUCT with {name: [contours (N, 3)]}, as planning systems write it."""
    sets, contours = [], []
    for number, (name, lines) in enumerate(structures.items(), 1):
        sets.append(maker.item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame or study.frame))
        items = [
            maker.item(
                ContourGeometricType=kind,
                NumberOfContourPoints=len(points),
                ContourData=[f"{value:.4f}" for value in np.ravel(points)],
            )
            for points in lines
        ]
        contours.append(maker.item(ReferencedROINumber=number, ContourSequence=items))
    maker.write_other(
        path, RT_STRUCTURE_SET, "RTSTRUCT", study, StructureSetROISequence=sets, ROIContourSequence=contours, SeriesNumber=9
    )
    return str(path)


def centre():
    """LPS of the middle of the synthetic head's face where it is thickest, and of the skin in front of it."""
    face = maker.parts()[1]
    s, r = np.unravel_index(face.sum(1).argmax(), face.shape[::2])
    line = np.flatnonzero(face[s, :, r])
    steps = maker.SPACING_MM * np.array([-1, -1, 1])
    return maker.ORIGIN + [r, line.mean(), s] * steps, maker.ORIGIN + [r, line.max(), s] * steps


def heights():
    """z of ten slices of the thin series around it."""
    return centre()[0][2] + maker.SPACING_MM * np.arange(-5, 5)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """(source folder, RTSTRUCT, its contours, mask) of a thin axial, a thick axial and a sagittal series."""
    folder, study = tmp_path_factory.mktemp("study"), maker.Study()
    maker.write_series(folder / "in" / "thin", maker.upright(), study, number=1)
    maker.write_series(folder / "in" / "thick", maker.upright(count=40, spacing=6.0, thickness=6.0), study, number=2)
    sagittal = maker.sagittal()
    sagittal.positions = sagittal.positions[::4]
    maker.write_series(folder / "in" / "mpr", sagittal, study, number=3, image_type=("DERIVED", "SECONDARY", "MPR"))
    middle, front = centre()
    ring = [circle(middle[:2], radius, height) for height in heights() for radius in (14.0, 7.0)]
    skin = [circle(front[:2], 20.0, height) for height in heights()]
    found = {"Node": ring, "Skin": skin}
    rtstruct = write_structures(folder / "in" / "rt" / "s.dcm", study, found)
    return folder / "in", rtstruct, found, maker.write_mask(folder / "mask.nii.gz")


def stack_in(folder):
    return stack_of(find_series(folder).series[0])


def test_even_odd_fill_of_polygons_meets_every_pixels_centre_once():
    square = np.array([[1, 1], [1, 4], [4, 4], [4, 1]], float)
    assert np.argwhere(inside(square, (6, 6))).tolist() == [[r, c] for r in (1, 2, 3) for c in (1, 2, 3)]
    # Neighbours with a common edge share no pixel, and miss none; any turn, any start.
    right = square[::-1] + [0, 3]
    both = inside(square, (6, 9)).astype(int) + inside(np.roll(right, 2, 0), (6, 9))
    assert both.max() == 1 and both.sum() == 18
    assert not inside(square + 100, (6, 6)).any() and inside(square * 100 - 150, (6, 6)).all()
    polygon = np.random.default_rng(1).uniform(-4, 24, (12, 2))

    def odd(row, column):
        """Does a line upwards cross the polygon an odd number of times?"""
        ends = zip(polygon, np.roll(polygon, 1, 0))
        crossed = [(a, b) for a, b in ends if (a[1] < column) != (b[1] < column)]
        return sum(a[0] + (column - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) < row for a, b in crossed) % 2 == 1

    assert inside(polygon, (20, 20)).tolist() == [[odd(r, c) for c in range(20)] for r in range(20)]


def test_contours_become_rings_of_their_size_in_their_slices(study):
    source, rtstruct, _found, _mask = study
    for series, slices, height in (("thin", 10, 3.0), ("thick", 5, 6.0)):
        (one,) = structures_of(Path(rtstruct), ["Node"], stack_in(source / series), None)
        name, mask = one
        pixels = mask.sum((1, 2))
        assert name == "Node" and np.count_nonzero(pixels) == slices
        area = pixels[pixels > 0].mean() * maker.SPACING_MM**2
        # The inner circle is a hole; pixels of 3 mm are coarse.
        assert abs(area / (np.pi * (14**2 - 7**2)) - 1) < 0.1
        k, rows, columns = (index.mean() for index in np.nonzero(mask))
        stack = stack_in(source / series)
        middle = stack.positions[round(k)] + rows * 3 * stack.column + columns * 3 * stack.row
        assert np.abs(middle - [*centre()[0][:2], heights().mean()]).max() < height
    assert [name for name, _mask in structures_of(Path(rtstruct), [], stack_in(source / "thin"), None)] == ["Node", "Skin"]


def test_contours_on_tilted_slices_lie_where_they_were_drawn(tmp_path):
    shape, study = maker.tilted(count=12), maker.Study()
    maker.write_series(tmp_path / "in", shape, study)
    stack = stack_in(tmp_path / "in")
    square = np.array([[10, 10], [10, 20], [30, 20], [30, 10]]) + 0.5
    lines = [stack.positions[k] + 3 * (square[:, :1] * stack.column + square[:, 1:] * stack.row) for k in (4, 5, 6)]
    rtstruct = write_structures(tmp_path / "s.dcm", study, {"box": lines})
    ((_name, mask),) = structures_of(Path(rtstruct), [], stack, study.frame)
    wanted = np.zeros_like(mask)
    wanted[4:7, 11:31, 11:21] = True
    assert np.array_equal(mask, wanted)


def kept_in(source, series):
    """The true structure on the slices of a series: a ring of 7 to 14 mm around the middle of the face."""
    stack = stack_in(source / series)
    k, rows, columns = np.indices((len(stack.planes), stack.rows, stack.columns))
    points = stack.positions[k] + rows[..., None] * 3 * stack.column + columns[..., None] * 3 * stack.row
    away = np.hypot(*np.moveaxis(points[..., :2] - centre()[0][:2], -1, 0))
    return (away > 9) & (away < 12) & (np.abs(points[..., 2] - heights().mean()) < 12)


def words(folder):
    return np.stack([pydicom.dcmread(path).pixel_array for path in readers.sorted_files(folder)])


def says_no_face(folder):
    return pydicom.dcmread(readers.sorted_files(folder)[0]).get("RecognizableVisualFeatures") == "NO"


def test_a_structure_stays_bit_identical_in_every_series_and_its_record(study, tmp_path):
    source, rtstruct, _found, mask = study
    options = Options(mask=mask, keep=(f"{rtstruct}:Node",), second_opinion=False, override={"kept": "a test"})
    results = deface_dicom(source, tmp_path / "out", options)
    assert [result.status for result in results] == ["defaced"] * 3 + ["not defaced"]
    without = deface_dicom(source, tmp_path / "all", Options(mask=mask, second_opinion=False))
    for result, name in zip(results, ("thin", "thick", "mpr")):
        before, after, all_gone = (words(path) for path in (source / name, result.defaced, without[result.series - 1].defaced))
        keep = kept_in(source, name)
        assert np.array_equal(after[keep], before[keep]) and (all_gone[keep] != before[keep]).any()
        restored = after != all_gone
        assert np.array_equal(after[restored], before[restored]) and restored.any()
        record = json.loads(Path(result.record).read_text())
        (one,) = record["kept"]["structures"]
        assert one["name"] == "keep 1" and abs(one["ml"] / (np.pi * (14**2 - 7**2) * 30 / 1000) - 1) < 0.25
        assert record["kept"]["spared_ml"] > 1 and "Node" not in json.dumps(record)
        # What a person lets through nevertheless does not say of itself that no face is in it.
        said = [says_no_face(path) for path in (result.defaced, without[result.series - 1].defaced)]
        assert said == [not any(check["name"] == "kept" and check["verdict"] == "fail" for check in result.checks), True]
    assert not all(says_no_face(result.defaced) for result in results[:3])


def test_a_labelmap_is_resampled_to_the_series_and_named_when_asked(study, tmp_path, capsys):
    source, _rtstruct, _found, mask = study
    label = np.zeros(maker.parts()[1].shape, bool)
    label[30:40, 2:8, 28:36] = True
    path = maker.write_mask_of(label, maker.phantom_geometry(), tmp_path / "node.nii.gz")
    arguments = ["run", str(source / "thick"), "-o", str(tmp_path / "out"), "--mask", mask, "--no-second-opinion", "--quiet"]
    assert main([*arguments, "--keep", path, "--record-names"]) == 0, capsys.readouterr()
    record = json.loads((tmp_path / "out-hospital-only" / "series_01_record.json").read_text())
    (one,) = record["kept"]["structures"]
    assert one["name"] == "node.nii.gz" and abs(one["ml"] / (label.sum() * 0.027) - 1) < 0.35
    assert {check["name"]: check["verdict"] for check in record["checks"]}["kept"] == "pass"


def test_skin_stops_the_series_and_the_body_is_refused(study, tmp_path):
    source, rtstruct, _found, mask = study
    (result,) = deface_dicom(source / "thin", tmp_path / "out", Options(mask=mask, keep=(rtstruct,), second_opinion=False))
    assert result.status == "blocked" and "kept" in result.error
    box = np.array([[-300, -300, 0], [300, -300, 0], [300, 300, 0], [-300, 300, 0]], float)
    body = [box + [0, 0, z] for z in maker.ORIGIN[2] + maker.SPACING_MM * np.arange(80)]
    path = write_structures(tmp_path / "body.dcm", maker.Study(), {"BODY": body}, frame=frame_of(source))
    (result,) = deface_dicom(source / "thin", tmp_path / "out", Options(mask=mask, keep=(path,), second_opinion=False))
    assert result.status == "failed" and "body.dcm:BODY: what is to be kept holds more than half" in result.error
    assert not list((tmp_path / "out").glob("*"))


def frame_of(source):
    return find_series(source / "thin").series[0].frame_of_reference


def test_what_is_no_structure_of_this_series_is_refused_with_its_name(study, tmp_path):
    source, rtstruct, found, _mask = study
    chosen, other = find_series(source / "thin").series[0], maker.Study()
    frame, far = chosen.frame_of_reference, [circle((500.0, 500.0), 10.0, 0.0)]
    cases = {
        f"{rtstruct}:GTV": "no structure called GTV; it has: Node, Skin",
        str(next((source / "thin").iterdir())): "is no RTSTRUCT",
        write_structures(tmp_path / "frame.dcm", other, found): "another frame of reference",
        write_structures(tmp_path / "far.dcm", other, {"Far": far}, frame=frame): "far.dcm:Far: .* does not lie in series 1",
        write_structures(tmp_path / "points.dcm", other, {"Iso": far}, "POINT", frame) + ":Iso": "no closed contours",
        write_structures(
            tmp_path / "lean.dcm", other, {"Lean": [far[0][:, [0, 2, 1]]]}, frame=frame
        ): "do not lie in the slices",
    }
    stack = stack_of(chosen)
    volume = read_stack(stack, "thin")
    for keep, reason in cases.items():
        with pytest.raises((InputError, MaskError), match=reason):
            structures_of_files([keep], chosen, volume, stack, False)
