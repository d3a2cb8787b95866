"""Export of the DICOM files that a volume was loaded from, through logic and panel; only the database is a stand-in."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from CTADefaceLib.voxels.volume import Geometry
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.slicer_scene import MODULE, add_volume, load_series, put_mask
from slicer_host.dicom_database import DicomDatabase


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A thin and a thick series of one frame of reference, and a structure set."""
    folder, study = tmp_path_factory.mktemp("originals"), maker.Study()
    maker.write_series(folder / "thin", maker.upright(), study, number=1)
    maker.write_series(folder / "thick", maker.upright(count=40, spacing=6.0), study, number=2)
    maker.write_other(folder / "rt" / "s.dcm", "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", study, SeriesNumber=3)
    return folder


@pytest.fixture
def panel(host, study):
    import slicer

    host.reset()
    slicer.dicomDatabase = DicomDatabase(study)
    load_series(study / "thin")
    widget = host.open_widget(host.load_module(MODULE))
    yield widget
    host.close(widget)
    del slicer.dicomDatabase


@pytest.fixture
def errors(panel):
    """The library's errors as the panel knows them: other tests load the library anew."""
    from CTADefaceLib import errors

    return errors


def words(folder):
    return np.stack([pydicom.dcmread(path).pixel_array for path in readers.sorted_files(folder)])


def test_segments_that_are_kept_stay_as_they_were_in_all_files_of_the_study(panel, study, tmp_path):
    import slicer

    node, mask = put_mask(panel)
    keep = np.zeros_like(mask)
    k, _, i = np.argwhere(mask).mean(0).astype(int)
    keep[k - 6 : k + 6, :, i - 4 : i + 4] = mask[k - 6 : k + 6, :, i - 4 : i + 4]
    kept = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Targets")
    kept.GetSegmentation().AddEmptySegment("GTV", "GTV")
    slicer.util.updateSegmentBinaryLabelmapFromArray(keep.astype(np.uint8), kept, "GTV", panel.volume)
    output = panel.logic.applyFill(panel.volume, node, keep=[(kept, "GTV")])
    overrides = {"kept": "a test"}
    results = panel.logic.exportDicom(output, tmp_path / "release", wholeStudy=True, overrides=overrides)
    assert [result.status for result in results] == ["defaced", "defaced", "not defaced"]
    before, after = words(study / "thin"), words(tmp_path / "release" / "series_01")
    assert keep.any() and np.array_equal(after[keep], before[keep]) and (before != after)[mask & ~keep].mean() > 0.9
    record = json.loads(Path(results[1].record).read_text())
    assert record["kept"]["structures"][0]["name"] == "GTV" and record["kept"]["spared_ml"] > 1


def test_the_files_of_the_volume_come_out_with_the_face_filled(panel, study, tmp_path):
    node, mask = put_mask(panel)
    output = panel.logic.applyFill(panel.volume, node)
    (result,) = panel.logic.exportDicom(output, tmp_path / "release")
    before, after = words(study / "thin"), words(tmp_path / "release" / "series_01")
    assert result.status == "defaced" and (before != after)[mask].mean() > 0.9
    import slicer

    # What is filled in Slicer is what is filled in the files.
    assert np.array_equal(before != after, slicer.util.arrayFromVolume(output) != slicer.util.arrayFromVolume(panel.volume))
    header = pydicom.dcmread(readers.sorted_files(tmp_path / "release" / "series_01")[0])
    assert header.RecognizableVisualFeatures == "NO" and header.PatientName == maker.PATIENT["PatientName"]
    assert sorted(p.name for p in (tmp_path / "release-hospital-only").iterdir()) == [
        "series_01_facemask.nii.gz",
        "series_01_record.json",
        "uids.key",
    ]
    panel.logic.exportDicom(output, tmp_path / "private", keepPrivate=True)
    assert "RecognizableVisualFeatures" not in pydicom.dcmread(readers.sorted_files(tmp_path / "private" / "series_01")[0])


def test_the_button_writes_the_mask_as_seg_for_the_hospital_only(panel, host, study, tmp_path):
    import highdicom

    _node, mask = put_mask(panel)
    host.answers.append(str(tmp_path / "release"))
    panel.ui.maskSegCheckBox.checked = True
    panel.ui.exportDicomButton.click()
    (path,) = tmp_path.rglob("*.seg.dcm")
    assert path.parent.name == "release-hospital-only" and path.name in panel.ui.exportedLabel.text
    uids = [pydicom.dcmread(one).SOPInstanceUID for one in readers.sorted_files(study / "thin")]
    seg = highdicom.seg.segread(path)
    pixels = seg.get_pixels_by_source_instance(uids, ignore_spatial_locations=True, assert_missing_frames_are_empty=True)
    wanted = sitk.GetArrayFromImage(sitk.ReadImage(str(path).replace(".seg.dcm", ".nii.gz"))) > 0
    assert np.array_equal(pixels[..., 0] > 0, wanted) and wanted.sum() == mask.sum()


def test_a_volume_that_runs_backwards_is_recognised_by_its_voxels(panel, study, tmp_path):
    import slicer

    volume = panel.volume
    array = slicer.util.arrayFromVolume(volume)[::-1, :, ::-1].copy()
    matrix = np.array(slicer.util.arrayFromVTKMatrix(_matrix(volume)))
    matrix[:3, 3] += matrix[:3, 2] * (array.shape[0] - 1) + matrix[:3, 0] * (array.shape[2] - 1)
    matrix[:3, [0, 2]] *= -1
    turned = add_volume(array, "turned", matrix)
    turned.SetAttribute("DICOM.instanceUIDs", volume.GetAttribute("DICOM.instanceUIDs"))
    panel.parameters.inputVolume = turned
    node, mask = put_mask(panel)
    panel.logic.exportDicom(panel.logic.applyFill(turned, node), tmp_path / "release")
    changed = words(study / "thin") != words(tmp_path / "release" / "series_01")
    assert changed[mask[::-1, :, ::-1]].mean() > 0.9


def _matrix(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_the_whole_study_gets_the_same_mask_and_nothing_is_left_out_silently(panel, tmp_path):
    node, _mask = put_mask(panel)
    output, said = panel.logic.applyFill(panel.volume, node), []
    (tmp_path / "my.key").write_text("5e" * 32)
    results = panel.logic.exportDicom(
        output,
        tmp_path / "release",
        wholeStudy=True,
        deidentifyHeaders=True,
        warn=said.append,
        pseudonymKey=tmp_path / "my.key",
        shiftDates=True,
    )
    assert [result.status for result in results] == ["defaced", "defaced", "not defaced"]
    assert any("redraw the face" in text for text in said)
    for folder in sorted((tmp_path / "release").iterdir()):
        header = pydicom.dcmread(readers.sorted_files(folder)[0])
        assert header.PatientID == str(header.PatientName) == "CTA-CJPP1QK811" and header.StudyDate == "20190818"


def test_a_changed_volume_is_refused_and_a_failed_check_blocks(panel, errors, tmp_path):
    import slicer

    node, mask = put_mask(panel)
    slicer.util.arrayFromVolume(panel.volume)[40, 40, 40] += 5
    with pytest.raises(errors.InputError, match="changed after it was loaded"):
        panel.logic.exportDicom(panel.logic.applyFill(panel.volume, node), tmp_path / "release")
    slicer.util.arrayFromVolume(panel.volume)[40, 40, 40] -= 5
    half = mask.copy()
    half[:, :, : half.shape[2] // 2] = False
    from CTADefaceLib.slicer_module.scene import face_segment

    face_segment.set_mask(node, half, panel.volume)
    output = panel.logic.applyFill(panel.volume, node)
    with pytest.raises(errors.ChecksFailed) as blocked:
        panel.logic.exportDicom(output, tmp_path / "release")
    assert not list((tmp_path / "release").glob("*")) and blocked.value.every
    reasons = {check.name: "half on purpose" for check in blocked.value.checks}
    assert panel.logic.exportDicom(output, tmp_path / "release", overrides=reasons)[0].status == "defaced"


def test_files_that_are_gone_are_named(panel, errors, tmp_path):
    node, _mask = put_mask(panel)
    output = panel.logic.applyFill(panel.volume, node)
    panel.volume.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    with pytest.raises(errors.InputError, match="import them again"):
        panel.logic.exportDicom(output, tmp_path / "release")


def test_panel_exports_and_lists_what_it_left_out(host, panel, tmp_path):
    put_mask(panel)
    panel.ui.wholeStudyCheckBox.checked = True
    host.answers.append(str(tmp_path / "release"))
    panel.ui.exportDicomButton.click()
    assert [d.kind for d in host.dialogs] == ["file", "warning"] and "RTSTRUCT" in host.dialogs[-1].text
    assert sorted(p.name for p in (tmp_path / "release").iterdir()) == ["series_01", "series_02"]
    assert "identity" in panel.ui.dicomHeadersLabel.text and "still carry" in panel.ui.logText.plainText


def test_a_volume_without_dicom_becomes_a_new_valid_series_only_when_asked_for(host, panel, errors, tmp_path):
    panel.volume.SetAttribute("DICOM.instanceUIDs", None)
    node, _mask = put_mask(panel)
    host.answers.append(False)
    panel.ui.exportDicomButton.click()
    assert "not loaded from DICOM" in host.dialogs.pop().text and not list(tmp_path.iterdir())
    with pytest.raises(errors.InputError, match="new series"):
        panel.logic.exportDicom(panel.logic.applyFill(panel.volume, node), tmp_path / "release")
    host.answers.extend([True, str(tmp_path / "release")])
    panel.ui.exportDicomButton.click()
    assert [d.kind for d in host.dialogs] == ["confirm", "file"]
    folder = tmp_path / "release" / "series_01"
    image = sitk.ReadImage([str(path) for path in readers.sorted_files(folder)])
    import slicer

    defaced = slicer.util.arrayFromVolume(panel.export_section._defaced())
    assert np.array_equal(sitk.GetArrayFromImage(image), defaced)
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    assert np.allclose(Geometry.from_image(image).affine(), grid_to_ras(panel.volume), atol=1e-3)
    assert all(readers.validator_errors(path) == set() for path in readers.sorted_files(folder)[::20])
    header = pydicom.dcmread(readers.sorted_files(folder)[0])
    assert not header.PatientName and header.ImageType[0] == "DERIVED"


def test_the_record_tells_how_the_model_ran_and_a_failed_report_is_said(host, panel, tmp_path, monkeypatch):
    import json

    def no_picture(*_):
        raise OSError("no OpenGL here")

    monkeypatch.setattr("CTADefaceLib.rendering.pictures.before_after_png", no_picture)
    node, _mask = put_mask(panel)
    for key, value in (("device", "cuda"), ("mirroring", "True"), ("step_size", "0.75")):
        node.SetAttribute("CTADeface." + key, value)
    panel.ui.reportCheckBox.checked = True
    host.answers.append(str(tmp_path / "release"))
    panel.ui.exportDicomButton.click()
    assert [d.kind for d in host.dialogs] == ["file", "warning"] and "was released, but" in host.dialogs[-1].text
    assert host.dialogs[-1].text in panel.ui.logText.plainText
    assert (tmp_path / "release" / "series_01").is_dir()
    settings = json.loads((tmp_path / "release-hospital-only" / "series_01_record.json").read_text())["settings"]
    assert [settings[key] for key in ("device", "mirroring", "step_size")] == ["cuda", True, 0.75]


def test_a_missing_vtk_is_noticed_before_anything_is_released(panel, errors, tmp_path, monkeypatch):
    node, _mask = put_mask(panel)
    output = panel.logic.applyFill(panel.volume, node)
    monkeypatch.setattr("CTADefaceLib.release.report.importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.MissingPackages, match="vtk"):
        panel.logic.exportDicom(output, tmp_path / "release", report=True)
    assert not list(tmp_path.glob("release*"))
