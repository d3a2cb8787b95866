"""The review queue as a reader drives it: a finished batch of real heads, the real panel, files that change on decisions."""

import json
import shutil
import time

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.manifest import NAME
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.files.read import read_volume
from helpers import phantom
from helpers.slicer_scene import MODULE


@pytest.fixture(scope="module")
def batch(small_cranium, tmp_path_factory):
    """A batch of three heads that were released and an image that is no CT."""
    folder = tmp_path_factory.mktemp("slicer-review")
    (folder / "in").mkdir()
    for name in ("a", "b", "c"):
        sitk.WriteImage(small_cranium, str(folder / "in" / f"{name}.nii.gz"))
    sitk.WriteImage(small_cranium + 2000, str(folder / "in" / "d.nii.gz"))
    main(["batch", str(folder / "in"), str(folder / "out"), "--quiet"])
    return folder


@pytest.fixture
def finished(batch, tmp_path):
    """A copy of it, in which decisions may be made."""
    return shutil.copytree(batch, tmp_path / "batch")


@pytest.fixture
def panel(host, finished):
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


def test_the_next_case_is_read_ahead_and_only_that_one(host, panel, monkeypatch):
    from CTADefaceLib.slicer_module import read_ahead

    ahead = panel.review_section.review._ahead
    assert host.spin(lambda: ahead._reading._future.done(), 20) and ahead._item.case == "b.nii.gz"
    read = []
    monkeypatch.setattr(
        read_ahead, "read_case", lambda item, read_case=read_ahead.read_case: read.append(item.case) or read_case(item)
    )
    panel.ui.nextButton.click()
    assert panel.volume.GetName() == "b.nii.gz" and "b.nii.gz" not in read
    host.spin(lambda: ahead._reading._future.done(), 20)
    # Back to one that was not read ahead.
    panel.ui.previousButton.click()
    assert panel.volume.GetName() == "a.nii.gz" and read == ["c.nii.gz", "a.nii.gz", "b.nii.gz"]
    panel.review_section.close()
    assert not ahead._reading.busy and ahead._reading._timer is None


def test_the_scan_is_in_the_slices_before_its_mask_is_made(panel, monkeypatch):
    import slicer

    from CTADefaceLib.slicer_module import review

    drawn = []

    def draw():
        shown = {slicer.mrmlScene.GetNodeByID(c.GetBackgroundVolumeID()).GetName() for c in composites}
        drawn.append((shown, panel.review_section.review.segmentation is not None))

    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    monkeypatch.setattr(review, "draw_now", draw)
    panel.ui.nextButton.click()
    assert drawn == [({"b.nii.gz"}, False)] * 2
    assert panel.review_section.review.segmentation is not None and not panel.review_section.review.is_edited()


def test_filters_tell_warnings_from_failures_and_keep_the_place(host, panel, finished):
    box = panel.ui.reviewFilterComboBox
    offered = [box.itemText(row) for row in range(box.count)]
    assert "Warned: Field of view (3)" in offered and not [text for text in offered if text.startswith("Failed:")]
    for key, cases in (("warned:field_of_view", "abc"), ("warned", "abc"), ("not released", "d")):
        box.currentIndex = box.findData(key)
        assert [item.case[0] for item in panel.review_section._shown()] == list(cases)
    box.currentIndex = box.findData("open")
    panel.ui.nextButton.click()
    assert panel.volume.GetName() == "b.nii.gz"
    panel.ui.acceptButton.click()
    # Not back to the first one, which the reader has left out on purpose.
    assert panel.volume.GetName() == "c.nii.gz" and reviews(finished)["b.nii.gz"] == "accepted"


def test_keys_do_what_the_buttons_do_and_only_while_they_are_on(panel, finished):
    import slicer

    keys = {shortcut.key.toString(): slot for shortcut, slot in panel.review_section._shortcuts}
    assert sorted(keys) == ["Alt+A", "Alt+B", "Alt+N", "Alt+R", "Alt+S"]
    keys["Alt+N"]()
    assert panel.volume.GetName() == "b.nii.gz"
    keys["Alt+A"]()
    assert reviews(finished)["b.nii.gz"] == "accepted"
    slicer.mrmlScene.Clear(0)
    before = reviews(finished)
    for key in ("Alt+A", "Alt+S", "Alt+R"):
        keys[key]()
    assert reviews(finished) == before


@pytest.fixture(scope="module")
def strict_batch(parts, tmp_path_factory):
    """A strict batch of one head without its chin, which a warning has stopped."""
    folder = tmp_path_factory.mktemp("slicer-strict")
    (folder / "in").mkdir()
    sitk.WriteImage(phantom.image(parts[0][30:]), str(folder / "in" / "cut.nii.gz"))
    sitk.WriteImage(phantom.image(parts[1][30:].astype(np.uint8)), str(folder / "mask.nii.gz"))
    run_batch(folder / "in", folder / "out", Options(mask=str(folder / "mask.nii.gz"), second_opinion=False, strict=True))
    return folder


def test_a_warning_stops_a_correction_in_a_strict_batch_until_a_reason_is_given(host, strict_batch):
    host.reset()
    panel = host.open_widget(host.load_module(MODULE))
    panel.ui.reviewFolderEdit.currentPath = str(strict_batch / "out-hospital-only")
    panel.ui.openReviewButton.click()
    panel.ui.correctButton.click()
    assert "field_of_view" in host.dialogs.pop().text and reviews(strict_batch) == {"cut.nii.gz": None}
    for check in panel.checks_section.open_failures():
        panel.checks_section.select(check)
        panel.ui.reasonEdit.text = "the scan ends there"
        assert panel.ui.overrideButton.enabled
        panel.ui.overrideButton.click()
    panel.ui.correctButton.click()
    assert not host.dialogs and reviews(strict_batch) == {"cut.nii.gz": "corrected"}
    (released,) = (strict_batch / "out").glob("*")
    record = json.loads(sorted((strict_batch / "out-hospital-only").glob("*_record*.json"))[-1].read_text())
    assert released.name == "case-0001_defaced.nii.gz" and record["settings"]["strict"] is True
    host.close(panel)


def keep_a_piece(panel, name):
    """Keep a new segment in the middle of the mask; returns its node, and its voxels, bool (k, j, i)."""
    import slicer

    mask = panel.logic.faceMask(panel.volume)
    k, i = np.unravel_index(mask.sum(1).argmax(), mask.shape[::2])
    rear = mask[k, :, i].argmax()
    piece = np.zeros(mask.shape, bool)
    piece[k - 1 : k + 2, rear : rear + 3, i - 1 : i + 2] = True
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    node.SetReferenceImageGeometryParameterFromVolumeNode(panel.volume)
    segment = node.GetSegmentation().AddEmptySegment("", name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(piece.astype(np.uint8), node, segment, panel.volume)
    panel.logic.keepSegments(panel.segmentation, [node])
    panel.update()
    return node, piece


def same_as_original(finished, case, number, mask):
    before = read_volume(finished / "in" / case).stored
    after = read_volume(finished / "out" / f"case-000{number}_defaced.nii.gz").stored
    return np.array_equal(before[mask], after[mask])


def test_a_correction_keeps_segments_and_they_come_back_with_the_case(host, panel, finished):
    import slicer

    node, piece = keep_a_piece(panel, "GTV")
    panel.ui.acceptButton.click()
    assert "what is kept was edited" in host.dialogs.pop().text and reviews(finished)["a.nii.gz"] is None
    panel.ui.correctButton.click()
    assert not host.dialogs and reviews(finished)["a.nii.gz"] == "corrected"
    assert same_as_original(finished, "a.nii.gz", 1, piece) and panel.volume.GetName() == "b.nii.gz"
    assert sorted(path.name for path in finished.rglob("*_kept-*")) == ["case-0001_facemask_kept-1.nii.gz"]
    slicer.mrmlScene.RemoveNode(node)
    panel.ui.previousButton.click()
    # They are in the scene again, ticked and named, and leave it with the case.
    assert panel.volume.GetName() == "a.nii.gz" and panel.ui.keepButton.text == "GTV"
    (noted,) = panel.logic.keptSegments(panel.segmentation)
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(*noted, panel.volume) != 0, piece)
    assert not panel.review_section.review.is_edited()
    panel.logic.growMask(panel.volume, panel.segmentation, 1.0)
    panel.logic.excludeBone(panel.volume, panel.segmentation)
    panel.ui.correctButton.click()
    assert not host.dialogs and same_as_original(finished, "a.nii.gz", 1, piece)
    assert len([n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if not n.GetHideFromEditors()]) == 1
    # A person may also decide that nothing is kept any more.
    panel.ui.previousButton.click()
    panel.logic.keepSegments(panel.segmentation, [])
    assert panel.review_section.review.is_edited()
    panel.ui.correctButton.click()
    assert not host.dialogs and not same_as_original(finished, "a.nii.gz", 1, piece)
    assert not list(finished.rglob("*_kept-*"))


def test_a_case_whose_kept_structures_are_gone_is_shown_but_not_corrected(host, panel, finished):
    keep_a_piece(panel, "GTV")
    panel.ui.correctButton.click()
    assert not host.dialogs
    (stored,) = finished.rglob("*_kept-*")
    stored.unlink()
    panel.ui.previousButton.click()
    assert panel.volume.GetName() == "a.nii.gz" and panel.segmentation is not None and not host.dialogs
    released = (finished / "out" / "case-0001_defaced.nii.gz").read_bytes()
    panel.ui.correctButton.click()
    assert "are not stored" in host.dialogs.pop().text
    assert (finished / "out" / "case-0001_defaced.nii.gz").read_bytes() == released
    _node, piece = keep_a_piece(panel, "GTV again")
    panel.ui.correctButton.click()
    assert not host.dialogs and same_as_original(finished, "a.nii.gz", 1, piece)


def test_accept_correct_and_reject_are_kept_and_change_the_files(host, panel, finished):
    out = finished / "out"
    before = (out / "case-0002_defaced.nii.gz").read_bytes()
    panel.ui.acceptButton.click()
    assert reviews(finished)["a.nii.gz"] == "accepted" and panel.volume.GetName() == "b.nii.gz"
    panel.logic.growMask(panel.volume, panel.segmentation, 1.0)
    panel.logic.excludeBone(panel.volume, panel.segmentation)
    panel.ui.acceptButton.click()
    assert "edited" in host.dialogs.pop().text and reviews(finished)["b.nii.gz"] is None
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


def test_a_cancelled_correction_has_ended_when_it_is_said_and_changed_nothing(host, panel, finished, monkeypatch):
    from CTADefaceLib.slicer_module import background

    def content():
        folders = (finished / "out", finished / "out-hospital-only")
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

    before, said = content(), []
    monkeypatch.setattr(background.CancelWindow, "cancelled", True)
    monkeypatch.setattr(panel, "log", said.append)
    panel.ui.correctButton.click()
    assert said == ["Cancelled."] and not host.dialogs
    now = content()
    time.sleep(3)
    assert content() == now
    # The copy of the model's mask may be there already.
    assert {path: now[path] for path in before} == before and all("_model" in path.name for path in now.keys() - before.keys())


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
