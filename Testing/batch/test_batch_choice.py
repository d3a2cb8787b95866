"""Globs that choose cases, and the listing of what would be done; no network runs."""

import json
import shutil

import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.choice import Choice, matches
from CTADefaceLib.batch.dry_run import dry_run
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.review_queue import load_queue, mark
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import UsageError
from helpers import dicom_maker as maker


@pytest.mark.parametrize(
    "glob, path, fits",
    [
        ("*.nrrd", "a/b/head.nrrd", True),
        ("*.nrrd", "a/b/head.nii.gz", False),
        ("old", "a/old/head.nii", True),
        ("old/", "old/x/head.nii", True),
        ("old", "a/older/head.nii", False),
        ("a/*", "a/b/head.nii", True),
        ("a/*.nii", "a/b/head.nii", False),
        ("a/**/*.nii", "a/b/c/head.nii", True),
        ("a/**/*.nii", "a/head.nii", True),
        ("**/head.nii", "head.nii", True),
        ("*/head.nii", "a/b/head.nii", False),
        ("./a/head.nii", "a/head.nii", True),
        ("/a", "a/head.nii", True),
        ("/head.nii", "a/head.nii", False),
        ("case?/[hm]ead.nii", "case1/head.nii", True),
        ("case?/[!h]ead.nii", "case1/head.nii", False),
        ("A/*", "a/head.nii", False),
        ("pat/*", "pat/study=1.2.3", True),
        ("pat", "pat/study=1.2.3", True),
        ("a", "ba/head.nii", False),
    ],
)
def test_a_glob_is_compared_with_the_path_and_the_folders_above_it(glob, path, fits):
    assert matches(glob, path) is fits


@pytest.mark.parametrize("glob", ["", "/", "./"])
def test_what_is_no_glob_is_refused(glob):
    with pytest.raises(UsageError, match="is no glob"):
        Choice(exclude=(glob,))


@pytest.fixture(scope="module")
def tree(scan, tmp_path_factory):
    """Folders of a site: two heads, one with a mask beside it, and a DICOM study."""
    folder = tmp_path_factory.mktemp("choice")
    for name in ("in/one/head.nii.gz", "in/two/old/head.nii.gz"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(scan[0], folder / name)
    shutil.copy(scan[1], folder / "in" / "one" / "head_seg.nii.gz")
    maker.write_series(folder / "in" / "Doe^Jane" / "ct", maker.sparse())
    return folder


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


def test_only_chosen_cases_are_run_and_the_rest_is_counted(tree, mask, tmp_path, capsys):
    out, warnings = tmp_path / "out", []
    planned = list(dry_run(tree / "in", out, Options(mask=mask)))
    assert not out.exists() and not (tmp_path / "out-hospital-only").exists()
    assert [case.line() for case in planned if case.why_not is None] == [
        "WOULD RUN one/head.nii.gz -> case-0001_defaced.nii.gz",
        "WOULD RUN two/old/head.nii.gz -> case-0002_defaced.nii.gz",
        "WOULD RUN Doe^Jane/ct -> study_0001/series_01",
    ]
    choice = Choice(include=("**/head*", "nowhere/*"), exclude=("old", "*_seg.nii.gz", "*.mha"))
    summary = run_batch(tree / "in", out, Options(mask=mask), choice=choice, warn=warnings.append)
    assert (summary.cases, summary.by_status, summary.excluded) == (1, {"defaced": 1}, 3)
    assert [path.name for path in out.iterdir()] == ["case-0001_defaced.nii.gz"]
    said = [text for text in warnings if "matches no case" in text]
    assert len(said) == 2 and "--include 'nowhere/*'" in said[0] and "--exclude '*.mha'" in said[1]
    assert "3 cases not taken" in "\n".join(summary.lines())
    # Taken later, another case gets the next number, and the overview knows both.
    assert run_batch(tree / "in", out, Options(mask=mask), choice=Choice(include=("two",))).by_status == {"defaced": 1}
    assert sorted(path.name for path in out.iterdir()) == ["case-0001_defaced.nii.gz", "case-0002_defaced.nii.gz"]
    assert (tmp_path / "out-hospital-only" / "summary.csv").read_text().count("\n") == 3
    for globs in (["--include", "nowhere"], ["--exclude", "**"]):
        assert main(["batch", str(tree / "in"), str(tmp_path / "new"), "--quiet", *globs]) != 0
        assert "leave none of its 4 cases" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def everything(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in [folder, *folder.rglob("*")]}


def plans(folder, *arguments, capsys, **how):
    """Case -> what a dry run says of it; nothing may be written."""
    before = everything(folder)
    assert main(["batch", str(folder / "in"), str(folder / "out"), "--dry-run", "--json", *arguments]) == 0
    assert everything(folder) == before
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert last["dry_run"] == {
        "would_run": sum(line["would_run"] for line in lines),
        "would_not_run": sum(not line["would_run"] for line in lines),
    }
    return {line["case"]: line for line in lines}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tree, tmp_path, capsys):
    shutil.copytree(tree / "in", tmp_path / "in")
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no volume")
    (tmp_path / "in" / "done_defaced.nii.gz").write_bytes(b"ours")
    maker.write_series(
        tmp_path / "in" / "scout",
        maker.Shape(maker.upright(count=4).positions[:1], maker.SAGITTAL),
        maker.Study(),
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    )
    said = plans(tmp_path, "--exclude", "old", capsys=capsys)
    assert said["one/head.nii.gz"]["targets"] == ["case-0002_defaced.nii.gz"] and said["one/head.nii.gz"]["why_not"] is None
    assert said["Doe^Jane/ct"]["targets"] == ["study_0001/series_01"]
    for case, why in {
        "two/old/head.nii.gz": "excluded by --exclude old",
        "one/head_seg.nii.gz": "left out: looks like a labelmap",
        "broken.nii.gz": "cannot be read",
        "done_defaced.nii.gz": "a result of CTADeface",
        "scout": "No CT series was found",
    }.items():
        assert not said[case]["would_run"] and why in said[case]["why_not"], said[case]
    assert len(said) == 7
    # What lies where a result would go.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "case-0002_defaced.nii.gz").write_bytes(b"of others")
    assert "exists already" in plans(tmp_path, capsys=capsys)["one/head.nii.gz"]["why_not"]
    assert plans(tmp_path, "--overwrite", capsys=capsys)["one/head.nii.gz"]["would_run"]
    assert plans(tmp_path, "--names", "plain", capsys=capsys)["one/head.nii.gz"]["targets"] == ["one/head_defaced.nii.gz"]
    masks = plans(tmp_path, "--mask-only", capsys=capsys)
    assert masks["one/head.nii.gz"]["targets"] == ["case-0002_facemask.nii.gz"]
    assert masks["Doe^Jane/ct"]["targets"] == ["study_0001/series_01_facemask.nii.gz"]


def test_a_dry_run_knows_what_was_done_before(scan, tmp_path, capsys):
    for name in "abd":
        (tmp_path / "in" / name).mkdir(parents=True)
        shutil.copy(scan[0], tmp_path / "in" / name / "head.nii.gz")
    (tmp_path / "in" / "b" / "head.nii.gz").write_bytes(b"no volume")
    kept = tmp_path / "out-hospital-only"
    options = Options(mask=scan[1], fill="air")
    choice = Choice(exclude=("d",))
    assert not run_batch(tmp_path / "in", tmp_path / "out", options, choice=choice).complete
    arguments = ["--fill", "air"]
    said = plans(tmp_path, *arguments, capsys=capsys)
    assert said["a/head.nii.gz"]["why_not"] == "done already: defaced"
    assert "failed before" in said["b/head.nii.gz"]["why_not"] and "--retry-failed" in said["b/head.nii.gz"]["why_not"]
    assert said["d/head.nii.gz"]["targets"] == ["case-0003_defaced.nii.gz"]
    mark(kept, next(item for item in load_queue(kept) if item.case.startswith("a")), "accepted", by="Dr A")
    assert plans(tmp_path, *arguments, capsys=capsys)["a/head.nii.gz"]["why_not"] == "accepted by Dr A"
    again = plans(tmp_path, *arguments, "--retry-failed", capsys=capsys)
    assert "cannot be read" in again["b/head.nii.gz"]["why_not"] and not again["a/head.nii.gz"]["would_run"]
    Manifest(kept / NAME).add(*[{"case": "d/head.nii.gz", "kind": "file", "status": "started"}] * 3)
    assert "died 3 times" in plans(tmp_path, *arguments, capsys=capsys)["d/head.nii.gz"]["why_not"]
    # What the run itself would refuse, the listing refuses too.
    assert main(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--dry-run"]) != 0
    assert "with fill air, not with fill levelled" in capsys.readouterr().err


def test_a_labelmap_is_left_out_by_its_voxels_and_a_scan_runs_whatever_its_name(scan, tmp_path, capsys):
    """The name decides only about a volume of one value: a structure that is not there, or a failed export."""
    head, face = sitk.ReadImage(str(scan[0])), sitk.ReadImage(scan[1])
    for name, image in {
        "case1/image.nii.gz": head,
        "case1/labels/organ.nrrd": sitk.Cast(face * 7, sitk.sitkFloat32),
        "case1/other.nii.gz": sitk.Cast(face, sitk.sitkInt16),
        "case1/seg/empty.nii.gz": face * 0,
        "case2/mask_ct.nii.gz": head,
        "case2/blank.nii.gz": sitk.Cast(head, sitk.sitkInt16) * 0,
        "case2/raw.nii.gz": sitk.Cast(head + 1024 + 50, sitk.sitkInt16),
    }.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(path), True)
    layers = sitk.JoinSeries([face, face])
    layers.SetMetaData("Segment0_ID", "face")
    sitk.WriteImage(layers, str(tmp_path / "in" / "case2" / "Segmentation.seg.nrrd"))
    told = []
    summary = run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1]), told=told.append)
    assert {line["case"]: line["status"] for line in told} == {
        "case1/image.nii.gz": "defaced",
        "case1/labels/organ.nrrd": "left out",
        "case1/other.nii.gz": "left out",
        "case1/seg/empty.nii.gz": "left out",
        "case2/mask_ct.nii.gz": "defaced",
        "case2/blank.nii.gz": "failed",
        "case2/raw.nii.gz": "failed",
        "case2/Segmentation.seg.nrrd": "left out",
    }
    assert len(summary.problems) == 2 and len(list((tmp_path / "out").iterdir())) == 2
    assert "Left out, because their voxels are those of a labelmap: case1/other.nii.gz" in "\n".join(summary.lines())
    assert not [item for item in load_queue(tmp_path / "out-hospital-only") if item.status == "left out"]
    # It is not looked at again, until it has changed.
    before = len(told)
    run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1]), told=told.append)
    assert len(told) == before
    sitk.WriteImage(head, str(tmp_path / "in" / "case1" / "other.nii.gz"), True)
    run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1]), told=told.append)
    assert [line["status"] for line in told[before:]] == ["defaced"]
