"""Scenes that are opened, added to and closed, and volumes that are loaded, while the panel is open."""

import numpy as np

from helpers.slicer_scene import add_volume


def reopen(host, slicer, folder):
    """Save the scene with its data, close it and open it again."""
    folder.mkdir()
    assert slicer.mrmlScene.SaveSceneToSlicerDataBundleDirectory(str(folder), None)
    slicer.mrmlScene.SetURL(str(next(folder.glob("*.mrml"))))
    # Opening is closing and importing in one batch.
    assert slicer.mrmlScene.Connect()
    host.spin(0.3)


def test_a_scene_that_is_opened_leaves_its_mask_in_the_editor(slicer, panel, head, masked):
    widget = panel.refine_section.editor.widget
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    # As Slicer's widget does at the end of a batch, of whose nodes it has not heard.
    widget.setSegmentationNode(None)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert widget.segmentationNode() is masked and widget.currentSegmentID() == "Face"
    other = masked.GetSegmentation().AddEmptySegment("Seed")
    widget.setCurrentSegmentID(other)
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert widget.currentSegmentID() == other


def test_a_saved_scene_opens_with_the_volume_and_the_mask_that_were_worked_on(
    host, slicer, panel, head, masked, parts, tmp_path
):
    other = add_volume(parts[0][:, :, ::-1].copy(), "Other")
    panel.parameters.inputVolume = other
    panel.parameters.inputVolume = head
    panel.parameters.fill = "air"
    reopen(host, slicer, tmp_path / "scene")
    assert panel.volume.GetName() == "Head" and slicer.mrmlScene.IsNodePresent(panel.volume)
    assert panel.ui.inputSelector.currentNode() is panel.volume and panel.parameters.fill == "air"
    assert np.array_equal(panel.logic.faceMask(panel.volume), parts[1]) and not panel.logic.isEdited(panel.volume)
    assert panel.refine_section.editor.widget.segmentationNode() is panel.segmentation
    panel.ui.growButton.click()
    assert panel.logic.isEdited(panel.volume) and not host.dialogs
    panel.ui.inputSelector.setCurrentNode(slicer.util.getNode("Other"))
    assert panel.volume.GetName() == "Other"


def test_the_volume_chosen_last_is_the_one_of_an_opened_scene(host, slicer, panel, head, parts, tmp_path):
    other = add_volume(parts[0][:, :, ::-1].copy(), "Other")
    panel.ui.inputSelector.setCurrentNode(other)
    reopen(host, slicer, tmp_path / "scene")
    assert panel.volume.GetName() == "Other" == panel.ui.inputSelector.currentNode().GetName()


def test_a_volume_loaded_while_the_panel_is_open_is_chosen(host, slicer, panel, parts):
    host.clear_scene()
    assert panel.volume is None
    first = add_volume(parts[0], "First")
    assert panel.volume is first and panel.ui.segmentButton.enabled
    add_volume(parts[0], "Second")
    assert panel.volume is first
    slicer.mrmlScene.RemoveNode(first)
    assert panel.volume is None
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    third = add_volume(parts[0], "Third")
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert panel.volume is not None and panel.volume is not third
