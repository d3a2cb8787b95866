"""What the module's logic lets leave: voxels, grid and record of an export, and what stops it."""

from functools import partial

import nibabel
import numpy as np
import pytest

from helpers import phantom
from helpers.slicer_scene import TURNED, add_scan, add_transform, add_volume, face_by_hand


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii", "out.nrrd", "out.mha"])
def test_export_writes_voxels_and_grid_and_never_replaces_silently(slicer, logic, parts, tmp_path, name):
    from CTADefaceLib.checks.check import TITLES
    from CTADefaceLib.errors import OutputError
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    # At this spacing the synthetic head is a doll's.
    reasons = dict.fromkeys(TITLES, "too small for a head")

    matrix = np.array([[-0.6, 0.1, 0, 30], [0.1, 0.6, 0, -200], [0, 0, 1.5, 7], [0, 0, 0, 1]])
    volume = add_volume(parts[0], "Miller^Anna", matrix)
    volume.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    node = face_by_hand(slicer, volume, parts[1])
    output = logic.applyFill(volume, node)
    record = logic.exportVolume(output, tmp_path / "release" / name, overrides=reasons)
    path = tmp_path / "release" / name
    mask = logic.exportMask(volume, node, path)
    read = read_volume(path)
    assert np.array_equal(read.stored, slicer.util.arrayFromVolume(output))
    # The matrix is not quite orthogonal: NIfTI and ITK keep directions to a few digits.
    assert np.allclose(read.geometry.affine()[:3, 3], grid_to_ras(volume)[:3, 3], atol=1e-3)
    assert mask == tmp_path / "release-hospital-only" / name.replace("out", "out_facemask")
    assert np.array_equal(read_volume(mask).stored, parts[1])
    content = path.read_bytes()
    if name.endswith(".gz"):
        import gzip

        content = gzip.decompress(content)
    assert b"Miller" not in content and b"1.2.3" not in content
    with pytest.raises(OutputError, match="exists already"):
        logic.exportVolume(output, path, overrides=reasons)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["release", "release-hospital-only"]
    assert [p.name for p in path.parent.iterdir()] == [name]
    assert record == tmp_path / "release-hospital-only" / "out_record.json"
    assert "Miller" not in record.read_text() and "1.2.3" not in record.read_text()


def test_the_gate_asks_the_model_about_a_mask_that_it_did_not_propose(slicer, logic, small_cranium, monkeypatch):
    """A forehead that is left where faces end in some heads: only the model says that it is this face's."""
    from CTADefaceLib.slicer_module import shared_worker
    from CTADefaceLib.slicer_module.export import node_export
    from CTADefaceLib.slicer_module.scene import face_segment
    from CTADefaceLib.voxels.images import to_volume

    scan = to_volume(small_cranium)
    head, drawn = add_scan(scan, "Segmented"), add_scan(scan, "Drawn")
    whole = logic.faceMask(head, logic.segmentFace(head))
    without_brow = whole.copy()
    top = np.flatnonzero(whole.any((1, 2))).max()
    without_brow[top - 6 :] = False
    node = face_by_hand(slicer, drawn, without_brow)
    checks = {check.name: check for check in logic.runChecks(drawn, node)}
    assert {name for name, check in checks.items() if check.verdict == "fail"} == {"model_face"}
    # Asked once for each volume, and not about what began as the model's own mask.
    monkeypatch.setattr(node_export, "opinion_of_model", lambda *_: pytest.fail("asked again"))
    face_segment.set_mask(node, whole, drawn)
    logic.growMask(drawn, node, 1.0)
    checks = {check.name: check for check in logic.runChecks(drawn, node)}
    assert checks["model_face"].verdict == "pass"
    own = {check.name: check for check in logic.runChecks(head)}
    assert own["model_face"].text == "The mask is the model's own."
    # A person can draw a face and export it before any package is installed.
    monkeypatch.setattr(shared_worker, "missing", lambda: ["torch"])
    checks = {check.name: check for check in logic.runChecks(drawn, node)}
    assert checks["model_face"].verdict == "not applicable"


def test_export_records_the_model_and_what_a_person_changed(slicer, logic, head, parts, tmp_path):
    import json

    from CTADefaceLib.slicer_module.scene import face_segment

    node = logic.segmentFace(head)
    proposed = logic.faceMask(head, node)
    logic.growMask(head, node, 3.0)
    face_segment.set_mask(node, logic.faceMask(head, node) | parts[1], head)
    record = json.loads(logic.exportVolume(logic.applyFill(head), tmp_path / "out" / "a.nrrd").read_text())
    grown = int((logic.faceMask(head, node) & ~proposed).sum())
    assert record["mask"]["edits"]["added_voxels"] == grown > 0 and record["mask"]["edits"]["edited"]
    assert record["mask"]["edits"]["removed_voxels"] == 0 and record["model"]["name"] == "head-3mm"
    assert len(record["model"]["sha256"]) == 64 and record["settings"]["fill"] == "levelled"


def test_export_fails_closed_until_every_failed_check_is_overridden(slicer, logic, head, parts, tmp_path):
    import json

    from CTADefaceLib.errors import ChecksFailed, InputError
    from CTADefaceLib.slicer_module.scene import face_segment

    half = parts[1].copy()
    half[:, :, 32:] = False
    node = face_by_hand(slicer, head, half)
    output, path = logic.applyFill(head, node), tmp_path / "out" / "a.nii.gz"
    with pytest.raises(ChecksFailed, match="residual_skin") as caught:
        logic.exportVolume(output, path)
    assert not path.exists() and json.loads(caught.value.record.read_text())["status"] == "blocked"
    names = [check.name for check in caught.value.checks]
    with pytest.raises(ChecksFailed):
        logic.exportVolume(output, path, overrides={names[0]: "one is not enough"})
    record = logic.exportVolume(output, path, overrides=dict.fromkeys(names, "a test of half a face"), by="Tester")
    assert path.exists() and {o["by"] for o in json.loads(record.read_text())["overrides"]} == {"Tester"}
    # The mask was edited after the fill: what would leave is not what is masked.
    face_segment.set_mask(node, parts[1], head)
    with pytest.raises(ChecksFailed, match="mask_filled"):
        logic.exportVolume(output, tmp_path / "out" / "b.nii.gz")
    with pytest.raises(InputError, match="not a volume that Apply fill made"):
        logic.exportVolume(head, tmp_path / "out" / "c.nii.gz")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.nii.gz"]


def test_export_under_a_transform_keeps_the_scans_own_grid(slicer, logic, head, parts, tmp_path):
    head.SetAndObserveTransformNodeID(add_transform(slicer, TURNED).GetID())
    output = logic.applyFill(head, face_by_hand(slicer, head, parts[1]))
    logic.exportVolume(output, tmp_path / "release" / "out.nii.gz")
    assert np.allclose(
        nibabel.load(tmp_path / "release" / "out.nii.gz").affine, np.diag([phantom.SPACING_MM] * 3 + [1]), atol=1e-4
    )


def test_the_mask_is_never_written_into_the_folder_of_the_export(logic, masked, head, tmp_path):
    from CTADefaceLib.errors import InputError, OutputError

    output, path = logic.applyFill(head, masked), tmp_path / "release" / "head_defaced.nrrd"
    for inside in (path.parent, path.parent / "masks"):
        for write in (
            partial(logic.exportMask, head, masked, path, masks=inside),
            partial(logic.exportVolume, output, path, mask=True, masks=inside),
        ):
            with pytest.raises(InputError, match="release folder"):
                write()
    assert not list(tmp_path.iterdir())
    assert logic.exportMask(head, masked, path, masks=tmp_path / "masks") == tmp_path / "masks" / "head_facemask.nrrd"
    logic.exportVolume(output, path, mask=True)
    assert [p.name for p in path.parent.iterdir()] == ["head_defaced.nrrd"]
    assert sorted(p.name for p in (tmp_path / "release-hospital-only").iterdir()) == ["head_facemask.nrrd", "head_record.json"]
    with pytest.raises(OutputError, match="exists already"):
        logic.exportMask(head, masked, path)


def test_what_stays_in_the_hospital_is_for_its_owner_only(logic, masked, head, tmp_path):
    import os
    import stat

    before = os.umask(0)
    try:
        logic.exportVolume(logic.applyFill(head, masked), tmp_path / "release" / "a.nii.gz", mask=True, report=True)
    finally:
        os.umask(before)
    kept = tmp_path / "release-hospital-only"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (kept, *kept.iterdir())}
    assert modes == {kept.name: 0o700} | dict.fromkeys(("a_facemask.nii.gz", "a_record.json", "a_record.html"), 0o600)
    assert stat.S_IMODE((tmp_path / "release" / "a.nii.gz").stat().st_mode) == 0o666


def test_a_report_that_cannot_be_drawn_loses_neither_export_nor_record(logic, masked, head, tmp_path, monkeypatch, caplog):
    def no_picture(*_):
        raise OSError("no OpenGL here")

    monkeypatch.setattr("CTADefaceLib.rendering.pictures.before_after_png", no_picture)
    output, told = logic.applyFill(head, masked), []
    record = logic.exportVolume(output, tmp_path / "a" / "x.nii.gz", report=True, warn=told.append)
    assert record.is_file() and (tmp_path / "a" / "x.nii.gz").is_file()
    assert len(told) == 1 and str(record) in told[0] and "was released, but the report" in told[0] and "OpenGL" in told[0]
    logic.exportVolume(output, tmp_path / "b" / "x.nii.gz", report=True)
    assert "was released, but the report" in caplog.text


def test_a_missing_vtk_is_noticed_before_anything_is_released(logic, masked, head, tmp_path, monkeypatch):
    from CTADefaceLib.errors import MissingPackages

    output = logic.applyFill(head, masked)
    monkeypatch.setattr("CTADefaceLib.release.report.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackages, match="vtk"):
        logic.exportVolume(output, tmp_path / "a" / "x.nii.gz", report=True)
    with pytest.raises(MissingPackages, match="vtk"):
        logic.exportDicom(output, tmp_path / "b", report=True, newSeries=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mirroring", [True, False])
def test_the_record_tells_how_the_model_ran(slicer, logic, parts, head, tmp_path, mirroring):
    import json

    from CTADefaceLib.slicer_module.scene import face_segment

    node = logic.segmentFace(head, mirroring=mirroring)
    face_segment.set_mask(node, logic.faceMask(head, node) | parts[1], head)
    record = json.loads(logic.exportVolume(logic.applyFill(head), tmp_path / "out" / "a.nrrd").read_text())
    told = {key: record["settings"][key] for key in ("device", "mirroring", "step_size")}
    assert told == {"device": "cpu", "mirroring": mirroring, "step_size": 0.5}


def test_of_a_mask_that_was_drawn_nothing_is_claimed(logic, masked, head, tmp_path):
    import json

    record = json.loads(logic.exportVolume(logic.applyFill(head, masked), tmp_path / "out" / "a.nrrd").read_text())
    assert [record["settings"][key] for key in ("device", "mirroring", "step_size")] == [None] * 3


@pytest.mark.parametrize("which", ["volume", "segmentation"])
def test_nothing_is_exported_beside_the_file_of_the_original_or_of_its_mask(slicer, logic, head, masked, tmp_path, which):
    from CTADefaceLib.errors import PlaceError

    output = logic.applyFill(head, masked)
    node, name = (head, "head.nrrd") if which == "volume" else (masked, "head.seg.nrrd")
    (tmp_path / "scans").mkdir()
    assert slicer.util.saveNode(node, str(tmp_path / "scans" / name))
    for path in (tmp_path / "scans" / "head_defaced.nrrd", tmp_path / "head_defaced.nrrd"):
        with pytest.raises(PlaceError, match=rf"{name}, which shows the face"):
            logic.exportVolume(output, path)
    with pytest.raises(PlaceError, match="shows the face"):
        logic.exportDicom(output, tmp_path / "scans", newSeries=True)
    assert [path.name for path in (tmp_path / "scans").iterdir()] == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]
