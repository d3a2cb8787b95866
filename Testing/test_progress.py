"""What a person is told of a run: fractions that rise to 1, by the stages that the run really has."""

import pytest
import SimpleITK as sitk

from CTADefaceLib import Progress, deface, fill_face, segment_face
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.errors import ChecksFailed, DeviceError, MaskError
from CTADefaceLib.progress import MODEL_STAGES, STAGES


@pytest.fixture
def reports():
    return []


@pytest.fixture(scope="module")
def scan(small_cranium, tmp_path_factory):
    """(path of a real head, path of its mask)."""
    folder = tmp_path_factory.mktemp("scan")
    sitk.WriteImage(small_cranium, str(folder / "head.nii.gz"))
    sitk.WriteImage(segment_face(small_cranium), str(folder / "mask.nii.gz"))
    return folder / "head.nii.gz", folder / "mask.nii.gz"


def require_true(reports, stages):
    """Never falling, from 0 to 1, and each stage begins where the shares of those before it end."""
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert reports[-1].stage == "done" and reports[-1].seconds_left == 0
    begun = {}
    for report in reports[:-1]:
        begun.setdefault(report.stage, report.fraction)
    assert list(begun) == list(stages)
    whole, before = sum(STAGES[stage] for stage in stages), 0.0
    for stage in stages:
        assert begun[stage] == pytest.approx(before / whole), stage
        before += STAGES[stage]


def test_outside_of_any_stage_a_report_names_none_as_text(reports):
    progress = Progress(reports.append)
    progress.update(0.5)
    assert [(report.stage, report.fraction) for report in reports] == [("", 0.0)]


def test_the_shares_of_all_stages_are_the_whole():
    assert sum(STAGES.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "how, stages",
    [
        ({}, ("read", *MODEL_STAGES, "fill", "check", "write")),
        ({"mask_only": True}, ("read", *MODEL_STAGES, "write")),
        ({"mask": True}, ("read", "fill", "check", "write")),
    ],
)
def test_a_run_over_a_file(scan, reports, tmp_path, how, stages):
    how = how | ({"mask": str(scan[1])} if "mask" in how else {})
    deface_file(scan[0], tmp_path / "out", Options(**how), Progress(reports.append))
    require_true(reports, stages)


def test_python_calls_end_at_one(small_cranium, reports):
    mask = segment_face(small_cranium, progress=Progress(reports.append))
    require_true(reports, ("read", *MODEL_STAGES))
    for call, stages in (
        (lambda how: deface(small_cranium, **how), ("read", *MODEL_STAGES, "fill", "check")),
        (lambda how: deface(small_cranium, mask, **how), ("read", "fill", "check")),
        (lambda how: fill_face(small_cranium, mask, **how), ("fill",)),
    ):
        reports.clear()
        call({"progress": Progress(reports.append)})
        require_true(reports, stages)


def test_a_call_that_fails_never_tells_one(small_cranium, scan, reports):
    mask = sitk.ReadImage(str(scan[1]))
    nothing, progress = mask * 0, Progress(reports.append)
    for call, error in (
        (lambda: deface(small_cranium, nothing, progress=progress), MaskError),
        (lambda: fill_face(small_cranium, nothing, progress=progress), MaskError),
        (lambda: deface(small_cranium, nothing + 1, fill="air", second_opinion=False, progress=progress), ChecksFailed),
        (lambda: segment_face(small_cranium, device="abacus", progress=progress), DeviceError),
    ):
        with pytest.raises(error):
            call()
    assert reports and max(report.fraction for report in reports) < 1 and "done" not in {report.stage for report in reports}


def test_only_the_end_of_a_run_is_one(reports):
    progress = Progress(reports.append)
    progress.begin("read", "write")
    for stage in ("read", "write"):
        progress.enter(stage)
        progress.update(1.0)
    assert reports[-1].fraction < 1
    progress.finish()
    assert reports[-1].fraction == 1 and [report.stage for report in reports].count("done") == 1


def test_a_progress_that_is_used_again_begins_anew(small_cranium, scan, reports):
    progress, mask = Progress(reports.append), sitk.ReadImage(str(scan[1]))
    for _ in range(2):
        reports.clear()
        fill_face(small_cranium, mask, progress=progress)
        require_true(reports, ("fill",))


def test_the_worker_tells_the_same(small_cranium, tmp_path):
    import numpy as np

    from CTADefaceLib import Geometry
    from CTADefaceLib.worker import serve

    answers, serve_interval = [], serve.REPORT_INTERVAL_S
    serve.REPORT_INTERVAL_S = -1
    try:
        np.save(tmp_path / serve.VOLUME_FILE, sitk.GetArrayFromImage(small_cranium))
        said = serve.Serving(tmp_path, answers.append).segment(
            "head", Geometry.from_image(small_cranium).affine(), None, "cpu", False, 0.5
        )
    finally:
        serve.REPORT_INTERVAL_S = serve_interval
    from CTADefaceLib.progress import Report

    told = [answer for answer in answers if answer["event"] == "progress"]
    require_true([Report(a["stage"], a["fraction"], a["seconds_left"]) for a in told], ("read", *MODEL_STAGES, "write"))
    assert (said["mirroring"], said["step_size"]) == (False, 0.5)


def test_a_stage_that_is_entered_again_counts_once(reports):
    progress = Progress(reports.append)
    for stage in ("read", "read", "load model", "read", "segment"):
        progress.enter(stage)
        progress.update(1.0)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(0.5)


def test_optional_stages_count_where_they_are_named(reports):
    progress = Progress(reports.append)
    progress.begin("read", "identity", "write")
    progress.enter("read")
    progress.enter("identity")
    progress.enter("write")
    assert reports[1].fraction < 0.05 and reports[2].fraction > 0.9
