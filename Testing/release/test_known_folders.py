"""What a folder of an earlier run is known by, and that nothing which shows the face gets into one that is given away."""

import json
import os
import sys
from pathlib import Path

import pytest

from CTADefaceLib.batch.find import places
from CTADefaceLib.cases import volume_file
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.folders import refuse_nested
from CTADefaceLib.errors import PlaceError, UsageError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.node.mercure import run_module
from CTADefaceLib.release.hospital_folder import records_folder, require_apart, require_clean, require_outside
from CTADefaceLib.release.known_folders import (
    for_hospital_below,
    for_hospital_in,
    lies_in,
    release_around,
    released_in,
    same_folder,
)
from helpers import dicom_maker as maker

GIVEN = ["--no-second-opinion", "--quiet"]
LINKS = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def mask_only(scan, monkeypatch):
    """``mask_only(out, *more)``: exit code of a run that writes only the mask, which no model need find."""
    monkeypatch.setattr(volume_file, "face_mask", lambda volume, *_: read_volume(scan[1]).as_mask())
    return lambda out, *more: main(["run", str(scan[0]), "-o", str(out), "--mask-only", "--quiet", *more])


@pytest.fixture
def released(scan, tmp_path):
    """A release folder with one head."""
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", scan[1], *GIVEN]) == 0
    return tmp_path / "out"


@pytest.fixture
def elsewhere(scan, tmp_path):
    """A release folder whose records lie in a folder that was chosen."""
    told = ["--mask", scan[1], "--hospital", str(tmp_path / "kept"), *GIVEN]
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "out"), *told]) == 0
    return tmp_path / "out"


@pytest.mark.parametrize("names_in_it", ["batch.jsonl", "uids.key", "a_record.json", "a_record_12.json", "a_facemask.nii.gz"])
def test_a_release_folder_is_known_by_the_records_beside_it(tmp_path, names_in_it):
    (tmp_path / "out-hospital-only").mkdir()
    assert release_around(tmp_path / "out") is None
    (tmp_path / "out-hospital-only" / names_in_it).write_bytes(b"")
    assert release_around(tmp_path / "out" / "a" / "b") == release_around(tmp_path / "out") == tmp_path / "out"
    assert release_around(tmp_path / "out2") is None and release_around(tmp_path) is None
    assert for_hospital_in(tmp_path / "out-hospital-only").name == names_in_it


@pytest.mark.parametrize("name", ["a_defaced.nii.gz", "sub-1_desc-defaced_ct.nii.gz", "series_07"])
def test_or_by_what_lies_in_it(tmp_path, name):
    (tmp_path / "out").mkdir()
    assert released_in(tmp_path / "out") is None and released_in(tmp_path / "missing") is None
    (tmp_path / "out" / name).mkdir()
    assert released_in(tmp_path / "out").name == name and release_around(tmp_path / "out") == tmp_path / "out"


@pytest.mark.parametrize("kind", ["released", "elsewhere"])
def test_a_mask_alone_is_not_put_into_a_release_folder(request, kind, mask_only, tmp_path, capsys):
    out = request.getfixturevalue(kind)
    before = names(out)
    assert mask_only(out) == 2 and "the release folder of an earlier run" in capsys.readouterr().out
    assert mask_only(tmp_path / "new", "--hospital", str(out)) == 2
    assert names(out) == before and not (tmp_path / "new").exists()
    assert mask_only(tmp_path / "masks") == 0 and names(tmp_path / "masks") == ["head_facemask.nii.gz"]


def test_nor_is_anything_released_into_a_folder_that_holds_a_mask(scan, mask_only, tmp_path, capsys):
    assert mask_only(tmp_path / "masks") == 0
    (tmp_path / "other.nii.gz").write_bytes(scan[0].read_bytes())
    command = ["run", str(tmp_path / "other.nii.gz"), "--mask", scan[1], *GIVEN, "-o"]
    assert main([*command, str(tmp_path / "masks")]) == 2
    assert "for the hospital only" in capsys.readouterr().out
    assert names(tmp_path / "masks") == ["head_facemask.nii.gz"]
    maker.write_series(tmp_path / "study", maker.sparse())
    for source in (tmp_path / "study", tmp_path / "other.nii.gz"):
        assert main(["run", str(source), "--mask", scan[1], *GIVEN, "-o", str(tmp_path / "masks")]) == 2


def test_the_hospitals_folder_is_no_release_folder(scan, released, tmp_path, capsys):
    hospital = tmp_path / "out-hospital-only"
    before = names(hospital)
    assert main(["run", str(scan[0]), "-o", str(hospital), "--mask", scan[1], *GIVEN]) == 2
    (tmp_path / "in").mkdir()
    assert main(["batch", str(tmp_path / "in"), str(hospital), "--quiet"]) == 2
    assert names(hospital) == before and not (tmp_path / "out-hospital-only-hospital-only").exists()
    capsys.readouterr()


def test_a_release_within_a_release_keeps_its_records_beside_the_outer_one(scan, released, tmp_path, capsys):
    (tmp_path / "other.nii.gz").write_bytes(scan[0].read_bytes())
    inner = released / "site" / "two"
    assert main(["run", str(tmp_path / "other.nii.gz"), "-o", str(inner), "--mask", scan[1], *GIVEN]) == 0
    assert names(released) == ["head_defaced.nii.gz", "site/two/other_defaced.nii.gz"]
    assert records_folder(inner) == tmp_path / "out-hospital-only" / "site" / "two"
    assert "site/two/other_record.json" in names(tmp_path / "out-hospital-only")
    # Another run into it finds them there again.
    command = ["run", str(tmp_path / "other.nii.gz"), "-o", str(inner), "--mask", scan[1], "--overwrite", *GIVEN]
    assert main(command) == 0 and not list(released.rglob("*-hospital-only"))
    capsys.readouterr()


def test_a_batch_within_a_batch_does_so_too(scan, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no volume")
    for out in ("out", "out/site", "out/site"):
        assert main(["batch", str(tmp_path / "in"), str(tmp_path / out), "--quiet"]) == 4
    assert not names(tmp_path / "out")
    assert {"batch.jsonl", "site/batch.jsonl"} < set(names(tmp_path / "out-hospital-only"))
    capsys.readouterr()


@pytest.mark.parametrize("inner", ["out/site", "out/site/two", "out/.site"])
def test_nothing_is_released_around_the_hospitals_folder_of_an_earlier_run(scan, released, tmp_path, capsys, inner):
    whole = tmp_path / "whole"
    (whole / inner).parent.mkdir(parents=True)
    released.rename(whole / inner)
    (tmp_path / "out-hospital-only").rename(whole / (inner + "-hospital-only"))
    maker.write_series(tmp_path / "study", maker.sparse())
    (tmp_path / "in").mkdir()
    before = names(whole)
    for out in (whole, whole / "out"):
        for source in (str(scan[0]), str(tmp_path / "study")):
            assert main(["run", source, "-o", str(out), "--mask", scan[1], *GIVEN]) == 2
        assert main(["batch", str(tmp_path / "in"), str(out), "--quiet"]) == 2
        said = capsys.readouterr()
        assert said.out.count("lies in the release folder") == 2 and said.err.count("lies in the release folder") == 1
    assert names(whole) == before


def test_what_is_looked_for_in_a_release_folder_is_not_looked_for_among_slices(tmp_path):
    for folder in ("a/series_01", ".hidden", "b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a_record.json").write_bytes(b"")
    assert for_hospital_below(tmp_path) == tmp_path / "b" / "a_record.json"
    require_clean(tmp_path)
    with pytest.raises(PlaceError, match="lies in the release folder"):
        require_clean(tmp_path, whole=True)
    # A run that wrote masks there was killed.
    (tmp_path / "b" / "a_record.json").unlink()
    (tmp_path / "b" / ".cta-deface-1" / "1").mkdir(parents=True)
    (tmp_path / "b" / ".cta-deface-1" / "1" / "a_facemask.nii.gz").write_bytes(b"")
    assert for_hospital_below(tmp_path).name == "a_facemask.nii.gz"


@pytest.mark.parametrize("kind", ["released", "elsewhere"])
def test_records_of_another_run_do_not_go_into_a_release_folder(request, kind, scan, tmp_path, capsys):
    out = request.getfixturevalue(kind)
    before = names(out)
    told = ["--mask", scan[1], *GIVEN, "--hospital", str(out)]
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "second"), *told]) == 2
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no volume")
    assert main(["batch", str(tmp_path / "in"), str(tmp_path / "third"), "--quiet", "--hospital", str(out)]) == 2
    assert names(out) == before
    capsys.readouterr()


def test_scans_for_training_and_reports_of_a_validation_do_not_either(scan, released, tmp_path, capsys):
    before = names(released)
    assert main(["train", "add", str(scan[0]), scan[1], "--to", str(released / "set")]) == 2
    (tmp_path / "data").mkdir()
    for end, path in (("image", scan[0]), ("mask", scan[1])):
        (tmp_path / "data" / f"a_{end}.nii.gz").write_bytes(Path(path).read_bytes())
    assert main(["validate", str(tmp_path / "data"), "--report", str(released / "report")]) == 2
    pictures = ["identity", str(scan[0]), str(scan[0]), "--mask", scan[1], "--pictures", str(released / "pictures")]
    assert main(pictures) == 2
    assert "must not lie in" in capsys.readouterr().err and names(released) == before


def test_nor_does_what_mercure_keeps(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    for inside in (source, target, target / "kept"):
        task = {"id": "abc", "process": {"settings": {"hospital": str(inside)}}}
        (source / "task.json").write_text(json.dumps(task))
        with pytest.raises((PlaceError, UsageError), match="must not lie in"):
            run_module(source, target, lambda text: None)
    assert not names(target)


@LINKS
def test_a_link_lies_where_it_is_and_where_it_leads(tmp_path):
    for name in ("out", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "kept")
    with pytest.raises(PlaceError, match="must not lie in the release folder"):
        require_outside(tmp_path / "out" / "link", tmp_path / "out", "Records")
    (tmp_path / "alias").symlink_to(tmp_path / "out")
    with pytest.raises(PlaceError):
        require_outside(tmp_path / "alias" / "new", tmp_path / "out", "Records")
    require_outside(tmp_path / "out" / ".." / "kept", tmp_path / "out", "Records")


@LINKS
def test_originals_behind_a_link_in_the_release_folder_are_seen(scan, tmp_path, capsys):
    maker.write_series(tmp_path / "study", maker.sparse())
    out = tmp_path / "out"
    (out / "files").mkdir(parents=True)
    (out / "study").symlink_to(tmp_path / "study")
    for path in sorted((tmp_path / "study").iterdir()):
        (out / "files" / path.name).symlink_to(path)
    for source in ([out / "study"], sorted((out / "files").iterdir())):
        assert main(["run", *map(str, source), "-o", str(out), "--mask", scan[1], *GIVEN]) == 2
        said = capsys.readouterr().out
        assert "shows the face" in said or "never mix with results" in said
    assert not list(out.glob("*series*")) and not (tmp_path / "out-hospital-only").exists()
    require_apart(sorted((tmp_path / "study").iterdir()), out)


def test_nothing_is_released_beside_another_input_of_the_same_command(scan, tmp_path, capsys):
    for name in ("a/x.nii.gz", "b/y.nii.gz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(scan[0].read_bytes())
    paths = [str(tmp_path / name) for name in ("b/y.nii.gz", "a/x.nii.gz")]
    assert main(["run", *paths, "-o", str(tmp_path / "a"), "--quiet"]) == 2
    assert "x.nii.gz, which shows the face" in capsys.readouterr().err
    assert names(tmp_path) == ["a/x.nii.gz", "b/y.nii.gz"]


@LINKS
def test_one_folder_under_two_names_is_one(tmp_path, monkeypatch):
    """As when a container has it twice. The real paths differ then; only the device and the file number are the same."""
    (tmp_path / "data" / "study").mkdir(parents=True)
    (tmp_path / "data" / "study" / "a.dcm").write_bytes(b"")
    real = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path, *_: path if "mounted" in path.parts else real(path))
    (tmp_path / "mounted").symlink_to(tmp_path / "data")
    with pytest.raises(PlaceError, match="around the folder of the originals"):
        refuse_nested(tmp_path / "data" / "study", [tmp_path / "mounted"])
    with pytest.raises(PlaceError, match="must not be or hold"):
        places(tmp_path / "data" / "study", tmp_path / "mounted")


def test_results_may_lie_beside_the_files_that_are_named_one_by_one(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "a.dcm").write_bytes(b"")
    refuse_nested([tmp_path / "study" / "a.dcm"], [tmp_path / "study" / "out", None])
    for folder in (tmp_path / "study", tmp_path):
        with pytest.raises(PlaceError):
            refuse_nested([tmp_path / "study" / "a.dcm"], [folder])


def test_what_is_not_there_yet_may_be_one_folder_where_letters_case_is_ignored(tmp_path):
    assert lies_in(tmp_path / "NEW" / "kept", tmp_path / "new") and same_folder(
        tmp_path / "caf\u00e9", tmp_path / "cafe\u0301"
    )
    (tmp_path / "there").mkdir()
    assert lies_in(tmp_path / "THERE", tmp_path / "there") == os.path.exists(tmp_path / "THERE")


def test_a_file_that_is_kept_must_not_lie_in_the_release_folder(scan, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "structure.nii.gz").write_bytes(Path(scan[1]).read_bytes())
    told = ["--keep", str(tmp_path / "out" / "structure.nii.gz"), *GIVEN]
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", scan[1], *told]) == 2
    assert "structure.nii.gz, which shows the face" in capsys.readouterr().out
    require_clean(tmp_path / "out")
