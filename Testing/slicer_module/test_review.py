"""The review queue as a reader drives it: a finished batch of real heads, the real panel, files that change on decisions."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.manifest import NAME
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.cli.main import main
from CTADefaceLib.files.read import read_volume
from helpers.slicer_scene import MODULE


@pytest.fixture(scope="module")
def finished(small_cranium, tmp_path_factory):
    """A batch of three heads that were released and an image that is no CT."""
    folder = tmp_path_factory.mktemp("slicer-review")
    (folder / "in").mkdir()
    for name in ("a", "b", "c"):
        sitk.WriteImage(small_cranium, str(folder / "in" / f"{name}.nii.gz"))
    sitk.WriteImage(small_cranium + 2000, str(folder / "in" / "d.nii.gz"))
    main(["batch", str(folder / "in"), str(folder / "out"), "--quiet"])
    return folder


@pytest.fixture
def panel(host, finished, tmp_path):
    host.reset()
    widget = host.open_widget(host.load_module(MODULE))
    widget.ui.reviewFolderEdit.currentPath = str(finished / "out-hospital-only")
    widget.ui.openReviewButton.click()
    assert not host.dialogs
    yield widget
    host.close(widget)


def reviews(finished):
    return {item.case: item.review for item in load_queue(finished / "out-hospital-only" / NAME)}


def test_without_a_batch_buttons_are_off_and_say_why(host):
    host.reset()
    widget = host.open_widget(host.load_module(MODULE))
    for button in (widget.ui.nextButton, widget.ui.acceptButton, widget.ui.correctButton, widget.ui.rejectButton):
        assert not button.enabled and "Open a batch first" in button.toolTip
    host.close(widget)


def test_the_first_open_case_comes_with_mask_checks_and_preview(panel, finished):
    import slicer

    source = read_volume(finished / "in" / "a.nii.gz")
    assert panel.volume.GetName() == "a.nii.gz" and "0 of 4 reviewed" in panel.ui.reviewLabel.text
    assert np.array_equal(slicer.util.arrayFromVolume(panel.volume), source.to_hu(source.stored))
    mask = read_volume(finished / "out-hospital-only" / "case-0001_facemask.nii.gz").stored > 0
    assert np.array_equal(panel.logic.faceMask(panel.volume), mask)
    assert panel.ui.checksTable.rowCount >= 16
    panel.ui.defacedButton.click()
    assert panel.logic.preview.state == "defaced"


def test_steps_and_filter(host, panel):
    panel.review_section.next()
    assert panel.volume.GetName() == "b.nii.gz"
    panel.ui.previousButton.click()
    assert panel.volume.GetName() == "a.nii.gz"
    panel.ui.previousButton.click()
    assert panel.volume.GetName() == "a.nii.gz", "before the first there is nothing"
    box = panel.ui.reviewFilterComboBox
    box.currentIndex = box.findData("not released")
    box.activated.emit(box.currentIndex)
    assert panel.review_section.review.item.case == "d.nii.gz"
    assert not panel.ui.acceptButton.enabled and "Nothing of it was released" in panel.ui.acceptButton.toolTip
    assert "draw the face first" in panel.ui.correctButton.toolTip and "failed" in panel.ui.reviewLabel.text


def test_only_one_case_is_in_the_scene(panel):
    import slicer

    panel.review_section.next()
    panel.review_section.next()
    volumes = [n.GetName() for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if not n.GetHideFromEditors()]
    assert volumes == ["c.nii.gz"] and len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 2


def keep_a_segment(panel):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("eye", "Eye")
    panel.logic.keepSegments(panel.segmentation, [node])


def test_accept_correct_and_reject_are_kept_and_change_the_files(host, panel, finished):
    out = finished / "out"
    before = (out / "case-0002_defaced.nii.gz").read_bytes()
    panel.ui.acceptButton.click()
    assert reviews(finished)["a.nii.gz"] == "accepted" and panel.volume.GetName() == "b.nii.gz"
    panel.logic.growMask(panel.volume, panel.segmentation, 1.0)
    panel.logic.excludeBone(panel.volume, panel.segmentation)
    panel.ui.acceptButton.click()
    assert "edited" in host.dialogs.pop().text and reviews(finished)["b.nii.gz"] is None
    keep_a_segment(panel)
    panel.ui.correctButton.click()
    assert "would fill the segments" in host.dialogs.pop().text and reviews(finished)["b.nii.gz"] is None
    panel.logic.keepSegments(panel.segmentation, [])
    panel.ui.correctButton.click()
    assert not host.dialogs and reviews(finished)["b.nii.gz"] == "corrected"
    assert (out / "case-0002_defaced.nii.gz").read_bytes() != before
    record = json.loads(sorted((finished / "out-hospital-only").glob("case-0002_record*.json"))[-1].read_text())
    assert record["mask"]["edits"]["edited"] and record["model"]["name"]
    assert panel.volume.GetName() == "c.nii.gz"
    host.answers.append(True)
    panel.ui.rejectButton.click()
    assert reviews(finished)["c.nii.gz"] == "rejected" and not (out / "case-0003_defaced.nii.gz").exists()
    assert (finished / "in" / "c.nii.gz").exists() and "3 of 4 reviewed" in panel.ui.reviewLabel.text


def test_added_to_the_training_set_without_identifiers(host, panel, finished, tmp_path):
    panel.ui.previousButton.click()
    host.answers.append(str(tmp_path / "train"))
    panel.ui.trainingButton.click()
    assert not [d for d in host.dialogs if d.kind == "error"]
    assert json.loads((tmp_path / "train" / "dataset.json").read_text())["numTraining"] == 1
    assert [p.name for p in (tmp_path / "train" / "imagesTr").iterdir()] == ["head_0001_0000.nii.gz"]


def test_closing_the_scene_forgets_the_case_and_keeps_the_queue(panel):
    import slicer

    slicer.mrmlScene.Clear(0)
    assert panel.review_section.review.item is None and panel.ui.nextButton.enabled
    panel.ui.nextButton.click()
    assert panel.volume.GetName() == "a.nii.gz"
