"""What stays in the hospital is for its owner only, whatever the umask; what is released is as the umask says."""

import json
import os
import stat
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.correct import correct, open_case
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.cli.main import main
from CTADefaceLib.files.publish import publishing
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.storage.private import open_private, private_file, private_folder
from CTADefaceLib.release.record import write_record
from helpers import dicom_maker as maker
from helpers import phantom

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


@pytest.fixture(params=[0o000, 0o077], ids="umask {:03o}".format, autouse=True)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def everything(folder):
    return [folder, *folder.rglob("*")]


def require_private(folder):
    assert folder.is_dir() and len(everything(folder)) > 1
    wrong = {str(path): oct(mode(path)) for path in everything(folder) if mode(path) != (0o700 if path.is_dir() else 0o600)}
    assert wrong == {}


def require_usual(folder, umask):
    assert folder.is_dir() and len(everything(folder)) > 1
    wrong = {
        str(path): oct(mode(path)) for path in everything(folder) if mode(path) != (0o777 if path.is_dir() else 0o666) & ~umask
    }
    assert wrong == {}


def test_files(scan, parts, tmp_path, umask):
    base = tmp_path / "new"
    deface_file(scan[0], base / "release", Options(mask=scan[1], report=True, masks=str(base / "masks" / "deep")))
    for folder in ("release-hospital-only", "masks"):
        require_private(base / folder)
    assert {path.suffix for path in (base / "release-hospital-only").iterdir()} == {".json", ".html"}
    require_usual(base / "release", umask)
    # Shared by both: the release must stay within reach.
    assert mode(base) == 0o777 & ~umask
    half = parts[1].copy()
    half[:, :, 32:] = False
    sitk.WriteImage(phantom.image(half.astype(np.uint8)), str(tmp_path / "half.nii.gz"))
    command = ["run", str(scan[0]), "-o", str(tmp_path / "blocked"), "--mask", str(tmp_path / "half.nii.gz"), "--quiet"]
    assert main(command) == 3
    require_private(tmp_path / "blocked-hospital-only")


def test_mask_only(scan, tmp_path, monkeypatch):
    from CTADefaceLib.cases import volume_file as case

    monkeypatch.setattr(case, "face_mask", lambda volume, *_: read_volume(scan[1]).as_mask())
    deface_file(scan[0], tmp_path / "masks", Options(mask_only=True))
    require_private(tmp_path / "masks")


def test_a_study(scan, tmp_path, umask):
    maker.write_series(tmp_path / "in", maker.sparse())
    out = tmp_path / "new" / "out"
    assert (
        main(["run", str(tmp_path / "in"), "-o", str(out), "--mask", scan[1], "--quiet", "--report", "--deidentify-headers"])
        == 0
    )
    require_private(tmp_path / "new" / "out-hospital-only")
    assert (tmp_path / "new" / "out-hospital-only" / "uids.key").is_file()
    require_usual(out, umask)
    assert mode(tmp_path / "new") == 0o777 & ~umask


def test_a_batch_its_correction_and_a_training_case(scan, tmp_path, umask):
    (tmp_path / "in" / "a" / "b").mkdir(parents=True)
    (tmp_path / "in" / "a" / "b" / "head.nii.gz").write_bytes(scan[0].read_bytes())
    options = Options(mask=scan[1], report=True, masks=str(tmp_path / "m" / "masks"))
    assert run_batch(tmp_path / "in", tmp_path / "out", options).complete
    (item,) = load_queue(tmp_path / "out-hospital-only")
    _volume, mask = open_case(item)
    correct(tmp_path / "out-hospital-only", item, mask.as_mask(), mask.geometry)
    require_private(tmp_path / "out-hospital-only")
    require_private(tmp_path / "m")
    assert {"batch.jsonl", "batch.lock"} <= {path.name for path in (tmp_path / "out-hospital-only").iterdir()}
    assert [path for path in (tmp_path / "m").rglob("*_model.nii.gz")]
    require_usual(tmp_path / "out", umask)
    assert main(["train", "add", str(scan[0]), scan[1], "--to", str(tmp_path / "heads")]) == 0
    require_private(tmp_path / "heads")


def test_a_bids_derivative_is_described_for_everybody(scan, tmp_path, umask):
    bids = tmp_path / "bids"
    (bids / "sub-1" / "ct").mkdir(parents=True)
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.10.0"}))
    (bids / "sub-1" / "ct" / "sub-1_ct.nii.gz").write_bytes(scan[0].read_bytes())
    assert run_batch(bids, tmp_path / "out", Options(mask=scan[1])).complete
    require_usual(tmp_path / "out", umask)
    require_private(tmp_path / "out-hospital-only")


def test_pictures_and_results_of_a_validation(tmp_path):
    from CTADefaceLib.cli.identity_command import PictureWriter
    from CTADefaceLib.rendering.pictures import write_png
    from CTADefaceLib.validation.results_store import Store

    PictureWriter(tmp_path / "pictures")
    write_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "pictures" / "a.png")
    require_private(tmp_path / "pictures")
    Store(tmp_path / "report" / "work", {}).save("head", "original", {"x": 1})
    require_private(tmp_path / "report")


def test_nothing_is_open_to_others_while_it_is_written(scan, tmp_path):
    """Looked at at every change of the file system, staging folders included."""
    wrong, watching = {}, [True]

    def look(event, _arguments):
        if watching and event in ("open", "os.link", "os.rename", "os.remove", "os.mkdir"):
            for path in [p for p in tmp_path.rglob("*") if p.relative_to(tmp_path).parts[0] != "release"]:
                try:
                    if mode(path) & 0o077 and not path.name.endswith("_defaced.nii.gz"):
                        wrong[str(path)] = oct(mode(path))
                except FileNotFoundError:
                    pass

    sys.addaudithook(look)
    try:
        deface_file(scan[0], tmp_path / "release", Options(mask=scan[1], report=True))
    finally:
        watching.clear()
    assert wrong == {} and (tmp_path / "release-hospital-only").is_dir()


def test_a_folder_of_the_users_stays_as_it_is_but_files_in_it_are_private(tmp_path, umask):
    (tmp_path / "mine").mkdir()
    before = mode(tmp_path / "mine")
    with publishing([tmp_path / "mine" / "a", tmp_path / "mine" / "b" / "c"], public=()) as staged:
        for path in staged:
            path.unlink(missing_ok=True)
            path.write_text("as another package's writer would")
    assert mode(tmp_path / "mine") == before and mode(tmp_path / "mine" / "a") == 0o600
    require_private(tmp_path / "mine" / "b")
    write_record({}, tmp_path / "records" / "x.json")
    require_private(tmp_path / "records")


def test_the_helpers(tmp_path, umask):
    private_folder(tmp_path / "a" / "b" / "hospital", tmp_path / "a" / "release" / "deep")
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/hospital")] == [0o777 & ~umask, 0o700, 0o700]
    path = tmp_path / "there"
    path.write_text("old")
    assert private_file(path).read_text() == "old" and mode(path) == 0o600
    with open_private(path) as stream:
        stream.write("new")
    assert path.read_text() == "new" and mode(path) == 0o600
