"""The panel as a user drives it: real .ui, real Qt, real scene, real worker and model; see slicer_host for the rest."""

import gc
import weakref

import numpy as np

from helpers.slicer_scene import MODULE, add_volume, node_ids

SECONDS = 90


def click_and_wait(host, panel):
    panel.ui.segmentButton.click()
    assert panel.ui.segmentButton.text == "Cancel"
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)


def test_without_a_volume_buttons_are_off_and_say_why(host, slicer):
    widget = host.open_widget(host.load_module(MODULE))
    for button in (
        widget.ui.segmentButton,
        widget.ui.growButton,
        widget.ui.applyButton,
        widget.ui.exportButton,
        widget.ui.originalButton,
    ):
        assert not button.enabled and "Load a head CT" in button.toolTip
    host.close(widget)


def test_loaded_volume_is_preselected_and_what_needs_a_mask_says_so(panel, head):
    assert panel.volume is head and panel.ui.inputSelector.currentNode() is head
    assert panel.ui.segmentButton.enabled and panel.ui.originalButton.enabled
    for button in (panel.ui.growButton, panel.ui.defacedButton, panel.ui.applyButton, panel.ui.exportButton):
        assert not button.enabled and button.toolTip == "Segment the face first."


def test_whole_flow_segment_correct_preview_fill_export(host, slicer, panel, head, parts, tmp_path):
    from CTADefaceLib.slicer_module.scene import face_segment

    before = slicer.util.arrayFromVolume(head).copy()
    seen = []
    panel.ui.segmentButton.click()
    assert host.spin(lambda: seen.append(panel.ui.statusLabel.text) or panel.segment_section.job is None, SECONDS)
    assert any("segmenting" in text for text in seen) and not host.dialogs
    assert panel.ui.segmentButton.text == "Segment face" and "ml" in panel.ui.statusLabel.text
    segmentation = panel.segmentation
    assert panel.refine_section.editor.widget.segmentationNode() is segmentation
    panel.ui.growButton.click()
    assert panel.logic.isEdited(head, segmentation)
    # What the network leaves of a face that is none, a person paints.
    face_segment.set_mask(segmentation, panel.logic.faceMask(head) | parts[1], head)
    mask = panel.logic.faceMask(head)
    panel.ui.defacedButton.click()
    assert panel.logic.preview.state == "defaced" and panel.ui.defacedButton.checked
    panel.parameters.fill = "air"
    panel.ui.applyButton.click()
    assert panel.ui.defacedLabel.text == "Head defaced"
    host.answers.append(str(tmp_path / "release" / "out.nii.gz"))
    panel.ui.exportMaskCheckBox.checked = True
    panel.ui.exportButton.click()
    assert not [d for d in host.dialogs if d.kind == "error"]
    from CTADefaceLib.files.read import read_volume

    written = read_volume(tmp_path / "release" / "out.nii.gz").stored
    assert (written[mask] == -1000).all() and np.array_equal(written[~mask], before[~mask])
    assert [path.name for path in (tmp_path / "release").iterdir()] == ["out.nii.gz"]
    assert np.array_equal(read_volume(tmp_path / "release-hospital-only" / "out_facemask.nii.gz").stored != 0, mask)
    assert np.array_equal(before, slicer.util.arrayFromVolume(head))


def test_cancel_in_mid_run_stops_at_once_and_leaves_the_scene(host, slicer, panel):
    before = node_ids(slicer)
    panel.ui.segmentButton.click()
    assert host.spin(lambda: panel.segment_section.job.stage != "start", SECONDS)
    panel.ui.segmentButton.click()
    assert panel.segment_section.job is None and panel.ui.segmentButton.text == "Segment face"
    assert not host.dialogs and "Cancelled" in panel.ui.logText.plainText
    assert node_ids(slicer) == before


def test_worker_that_dies_is_explained_and_the_log_can_be_copied(host, slicer, panel):
    import os
    import signal

    from CTADefaceLib.slicer_module.shared_worker import shared_worker

    panel.ui.segmentButton.click()
    os.kill(shared_worker()._child.process.pid, signal.SIGSEGV)
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)
    assert host.dialogs[-1].kind == "error" and "worker process died" in host.dialogs[-1].text
    panel.ui.copyLogButton.click()
    assert "worker process died" in slicer.app.clipboard().text()
    click_and_wait(host, panel)
    assert panel.segmentation is not None


def test_scene_closed_while_running_cancels_and_the_panel_goes_on(host, slicer, panel, parts):
    panel.ui.segmentButton.click()
    assert host.spin(lambda: panel.segment_section.job.stage != "start", SECONDS)
    host.clear_scene()
    assert panel.segment_section.job is None and panel.volume is None
    assert not panel.ui.segmentButton.enabled
    again = add_volume(parts[0], "Again")
    panel.parameters.inputVolume = again
    assert panel.ui.segmentButton.enabled and panel.segmentation is None


def test_volume_removed_while_running_is_explained(host, slicer, panel, head):
    panel.ui.segmentButton.click()
    slicer.mrmlScene.RemoveNode(head)
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)
    assert "changed or removed" in host.dialogs[-1].text
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_edited_mask_is_replaced_only_when_the_user_agrees(host, slicer, panel, head, masked):
    panel.ui.growButton.click()
    edited = panel.logic.faceMask(head)
    host.answers.append(False)
    panel.ui.segmentButton.click()
    assert "was edited" in host.dialogs[-1].text and panel.segment_section.job is None
    assert np.array_equal(panel.logic.faceMask(head), edited)
    host.answers.append(True)
    click_and_wait(host, panel)
    assert not panel.logic.isEdited(head)


def test_quick_actions_can_be_undone_with_the_editors_undo(panel, head, masked, parts):
    for button in (panel.ui.growButton, panel.ui.shrinkButton, panel.ui.boneButton, panel.ui.islandButton):
        before = panel.logic.faceMask(head)
        button.click()
        if not np.array_equal(before, panel.logic.faceMask(head)):
            panel.refine_section.editor.widget.undo()
        assert np.array_equal(before, panel.logic.faceMask(head))
    panel.ui.growButton.click()
    panel.ui.restoreButton.click()
    assert np.array_equal(panel.logic.faceMask(head), parts[1])


def test_a_mask_whose_segment_was_removed_can_be_made_again(host, slicer, panel, head, masked):
    masked.GetSegmentation().RemoveSegment("Face")
    host.answers.append(True)
    panel.ui.segmentButton.click()
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)
    assert not [d for d in host.dialogs if d.kind == "error"] and panel.logic.faceMask(head).any()


def test_entering_again_keeps_the_parameters_and_a_closed_scene_lets_go_of_them(host, slicer, panel):
    old = panel.parameters
    host.leave(panel)
    host.enter(panel)
    assert panel.parameters is old
    old = weakref.ref(old)
    slicer.mrmlScene.Clear(0)
    gc.collect()
    assert old() is None and panel.parameters


def test_two_volumes_have_two_masks_and_choosing_one_shows_its_own(slicer, panel, head, masked, parts):
    other = add_volume(parts[0][:, :, ::-1].copy(), "Other")
    panel.ui.defacedButton.click()
    panel.parameters.inputVolume = other
    assert panel.segmentation is None and not panel.ui.applyButton.enabled
    assert panel.logic.preview.state is None
    assert panel.refine_section.editor.widget.segmentationNode() is None
    panel.parameters.inputVolume = head
    assert panel.segmentation is masked and panel.refine_section.editor.widget.segmentationNode() is masked


def test_missing_packages_ask_first_and_declining_starts_nothing(host, slicer, panel, monkeypatch):
    from CTADefaceLib.slicer_module.packages.consent import Declined
    from CTADefaceLib.slicer_module.panel import packages_section

    asked = []

    def declined(**options):
        # Slicer handles clicks while pip runs.
        asked.append((options, panel.ui.segmentButton.isEnabled(), panel.ui.statusLabel.text))
        raise Declined("Nothing was installed.")

    monkeypatch.setattr(packages_section, "state", lambda: type("State", (), {"ready": False, "reason": "torch is missing"})())
    monkeypatch.setattr(packages_section, "install", declined)
    panel.ui.segmentButton.click()
    assert panel.segment_section.job is None and not host.dialogs
    ((options, enabled, text),) = asked
    assert options == {"wheel_folder": None} and not enabled and "being installed" in text
    assert panel.ui.segmentButton.isEnabled() and panel.ui.statusLabel.text == "Nothing was installed."
    assert "Nothing was installed." in panel.ui.logText.plainText
    panel.ui.packagesSection.collapsed = False
    assert panel.ui.packagesLabel.text == "torch is missing" and panel.ui.installButton.enabled


def test_a_mask_can_be_drawn_without_the_network(slicer, panel, head, parts):
    assert panel.ui.drawButton.enabled
    panel.ui.drawButton.click()
    node, editor = panel.segmentation, panel.refine_section.editor.widget
    assert editor.segmentationNode() is node and editor.currentSegmentID() == "Face" and editor.enabled
    assert not panel.ui.drawButton.enabled and "mask already" in panel.ui.drawButton.toolTip
    panel.ui.applyButton.click()
    assert panel.ui.defacedLabel.text == "not made yet"
    slicer.util.updateSegmentBinaryLabelmapFromArray(parts[1].astype(np.uint8), node, "Face", head)
    assert np.array_equal(panel.logic.faceMask(head), parts[1]) and panel.logic.isEdited(head)
    panel.ui.applyButton.click()
    assert panel.ui.defacedLabel.text == "Head defaced"


def test_a_volume_defaced_from_the_console_is_named(panel, head, masked):
    assert panel.ui.defacedLabel.text == "not made yet"
    panel.logic.applyFill(head)
    assert panel.ui.defacedLabel.text == "Head defaced"


def test_models_are_listed_and_one_from_a_zip_is_installed_by_the_worker(host, slicer, panel, tmp_path, monkeypatch):
    import shutil

    from CTADefaceLib.models.store import bundled_folder
    from CTADefaceLib.slicer_module.shared_worker import stop_worker

    monkeypatch.setenv("CTADEFACE_MODELS", str(tmp_path / "models"))
    stop_worker()
    box = panel.ui.modelComboBox
    assert box.itemText(0) == "head-3mm" and box.itemText(box.count - 2).startswith("Add model from zip")
    source = tmp_path / "Mine"
    shutil.copytree(bundled_folder() / "head-3mm", source)
    archive = shutil.make_archive(str(tmp_path / "mine"), "zip", tmp_path, "Mine")
    host.answers.append(archive)
    box.activated.emit(box.count - 2)
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS) and not [d for d in host.dialogs if d.kind == "error"]
    assert len([i for i in range(box.count) if box.itemData(i)]) == 2
    assert panel.parameters.model == box.currentText != "head-3mm"
    stop_worker()


def test_shortcut_and_editor_keys_live_only_while_the_module_is_open(host, panel):
    import qt

    def keys():
        return [s for s in host.main_window.findChildren(qt.QShortcut) if s.key.toString() == "Alt+P"]

    calls = host.segment_editor_calls(panel.refine_section.editor.widget)
    assert len(keys()) == 1 and ("installKeyboardShortcuts",) in [c[:1] for c in calls]
    host.leave(panel)
    host.spin(0.05)
    assert keys() == []
    calls = [c[0] for c in host.segment_editor_calls(panel.refine_section.editor.widget)]
    assert {"setActiveEffect", "uninstallKeyboardShortcuts", "removeViewObservations"} <= set(calls)


def test_quitting_ends_the_worker(host, panel):
    from CTADefaceLib.slicer_module.shared_worker import shared_worker

    click_and_wait(host, panel)
    worker = shared_worker()
    assert worker.running
    host.quit()
    assert not worker.running


def test_checks_are_shown_jump_to_their_place_and_block_the_export(host, slicer, panel, masked, parts, tmp_path):
    from CTADefaceLib.slicer_module.scene import face_segment

    ui = panel.ui
    ui.checkButton.click()
    assert ui.checksTable.rowCount == 27 and ui.checksLabel.text == "May be exported."
    half = parts[1].copy()
    half[:, :, 32:] = False
    face_segment.set_mask(masked, half, panel.volume)
    assert ui.checksTable.rowCount == 0 and "Not checked" in ui.checksLabel.text
    path = tmp_path / "release" / "out.nrrd"
    host.answers.append(str(path))
    ui.exportButton.click()
    assert host.dialogs[-1].kind == "error" and "residual_skin" in host.dialogs[-1].text and not path.exists()
    names = [check.name for check in panel.checks_section.checks]
    row = names.index("residual_skin")
    place = panel.checks_section.checks[row].place
    ui.checksTable.cellClicked.emit(row, 0)
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
        assert np.allclose(matrix[:3, 3], place, atol=1e-3)
    assert not ui.overrideButton.enabled
    failed = [n for n, check in enumerate(panel.checks_section.checks) if check.verdict == "fail"]
    for n in failed:
        ui.checksTable.selectRow(n)
        assert not ui.overrideButton.enabled and "reason" in ui.overrideButton.toolTip
        ui.reasonEdit.text = "half a face on purpose"
        assert ui.overrideButton.enabled
        ui.overrideButton.click()
    assert ui.checksLabel.text == "May be exported." and ui.reasonEdit.text == ""
    host.answers.append(str(path))
    ui.exportButton.click()
    assert path.exists()
    import json

    records = sorted((tmp_path / "release-hospital-only").glob("*.json"))
    assert [json.loads(p.read_text())["status"] for p in records] == ["blocked", "released"]
    assert {o["reason"] for o in json.loads(records[1].read_text())["overrides"]} == {"half a face on purpose"}


def test_what_was_drawn_in_another_segment_is_not_left_unnoticed(host, slicer, panel, head, masked, parts):
    other = masked.GetSegmentation().AddEmptySegment("nose", "Nose")
    panel.ui.applyButton.click()
    assert not host.dialogs and panel.ui.defacedLabel.text == "Head defaced"
    slicer.util.updateSegmentBinaryLabelmapFromArray(parts[2].astype(np.uint8), masked, other, head)
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("Head defaced"))
    host.answers.append(False)
    panel.ui.applyButton.click()
    assert "Not filled: Nose." in host.dialogs[-1].text and panel.ui.defacedLabel.text == "not made yet"
    assert "Cancelled" in panel.ui.logText.plainText


def test_overrides_end_with_undo_and_redo_but_not_with_a_colour(panel, masked):
    ui, editor, segmentation = panel.ui, panel.refine_section.editor.widget, masked.GetSegmentation()
    ui.checkButton.click()
    segmentation.GetSegment("Face").SetColor(1, 0, 0)
    masked.CreateClosedSurfaceRepresentation()
    assert panel.checks_section.checks
    ui.growButton.click()
    for change in (editor.undo, editor.redo, lambda: segmentation.RemoveSegment("Face")):
        ui.checkButton.click()
        panel.checks_section.overrides["nose"] = "bandage"
        change()
        assert panel.checks_section.overrides == {} and panel.checks_section.checks is None


def test_overrides_end_with_the_next_edit(host, panel, masked, parts):
    ui = panel.ui
    ui.checkButton.click()
    panel.checks_section.overrides["nose"] = "bandage"
    ui.shrinkButton.click()
    assert panel.checks_section.overrides == {} and panel.checks_section.checks is None
    panel.parameters.fill = "air"
    ui.checkButton.click()
    panel.parameters.fill = "published"
    assert panel.checks_section.checks is None


def test_report_with_pictures_lies_outside_of_the_export(host, panel, masked, tmp_path):
    panel.ui.reportCheckBox.checked = True
    host.answers.append(str(tmp_path / "release" / "out.nrrd"))
    panel.ui.exportButton.click()
    assert not [d for d in host.dialogs if d.kind == "error"]
    assert [p.name for p in (tmp_path / "release").iterdir()] == ["out.nrrd"]
    page = tmp_path / "release-hospital-only" / "out_record.html"
    assert "data:image/png;base64" in page.read_text() and str(page.with_suffix(".json")) in panel.ui.logText.plainText


def test_a_report_that_cannot_be_drawn_is_said_and_the_record_is_named(host, panel, masked, tmp_path, monkeypatch):
    def no_picture(*_):
        raise OSError("no OpenGL here")

    monkeypatch.setattr("CTADefaceLib.rendering.pictures.before_after_png", no_picture)
    panel.ui.reportCheckBox.checked = panel.ui.exportMaskCheckBox.checked = True
    host.answers.append(str(tmp_path / "release" / "out.nrrd"))
    panel.ui.exportButton.click()
    assert [d.kind for d in host.dialogs] == ["file", "warning"] and "was released, but" in host.dialogs[-1].text
    kept, said = tmp_path / "release-hospital-only", panel.ui.logText.plainText
    for path in (tmp_path / "release" / "out.nrrd", kept / "out_record.json", kept / "out_facemask.nrrd"):
        assert path.is_file() and str(path) in said


def test_an_existing_mask_is_replaced_only_when_a_person_agrees(host, panel, masked, tmp_path):
    kept = tmp_path / "release-hospital-only"
    kept.mkdir()
    (kept / "out_facemask.nrrd").write_bytes(b"another")
    panel.ui.exportMaskCheckBox.checked = True
    host.answers.extend([str(tmp_path / "release" / "out.nrrd"), False])
    panel.ui.exportButton.click()
    assert str(kept / "out_facemask.nrrd") in host.dialogs[-1].text and not (tmp_path / "release").exists()
    host.answers.extend([str(tmp_path / "release" / "out.nrrd"), True])
    panel.ui.exportButton.click()
    assert (kept / "out_facemask.nrrd").read_bytes() != b"another" and (tmp_path / "release" / "out.nrrd").is_file()
