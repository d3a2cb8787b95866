"""The row of steps, the sections that follow it, the one button, and the links to what was written."""

from pathlib import Path

import numpy as np
import pytest

from CTADefaceLib.checks.check import FAIL, PASS, WARN, Check
from helpers.slicer_scene import add_volume

SECONDS = 90
STEPS = ("mask", "look", "fill", "check", "export")
SECTIONS = ("segmentSection", "lookSection", "fillSection", "checksSection", "exportSection")


def shown(panel):
    """Step -> its state as a screen reader reads it."""
    buttons = (getattr(panel.ui, step + "Step") for step in STEPS)
    return [button.accessibleName.split(": ")[1] for button in buttons]


def opened(panel):
    return [name for name in SECTIONS if not getattr(panel.ui, name).collapsed]


def small_mask(panel, masked, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    half = parts[1].copy()
    half[:, :, 32:] = False
    face_segment.set_mask(masked, half, panel.volume)
    panel.update()


def test_the_row_follows_the_case_from_mask_to_export_and_back(host, slicer, panel, head, masked, parts, tmp_path):
    ui = panel.ui
    assert shown(panel) == ["done", "next", "to do", "to do", "to do"] and opened(panel) == ["lookSection"]
    assert "Look at the mask" in ui.nextLabel.text
    ui.maskButton.click()
    # Who looks goes on looking: that section closes one step later.
    assert shown(panel) == ["done", "done", "next", "to do", "to do"] and opened(panel) == ["lookSection", "fillSection"]
    ui.applyButton.click()
    assert shown(panel) == ["done", "done", "done", "next", "to do"] and opened(panel) == ["checksSection"]
    ui.checkButton.click()
    assert shown(panel) == ["done"] * 4 + ["next"] and opened(panel) == ["exportSection"]
    host.answers.append(str(tmp_path / "release" / "out.nrrd"))
    ui.exportButton.click()
    assert shown(panel) == ["done"] * 5 and "linked below" in ui.nextLabel.text
    ui.growButton.click()
    assert shown(panel) == ["done", "done", "next", "to do", "to do"] and ui.exportedLabel.text == ""
    ui.applyButton.click()
    panel.parameters.fill = "air"
    assert shown(panel)[2] == "next"


def test_a_failed_check_is_the_step_to_take_until_it_is_overridden(panel, masked, parts):
    small_mask(panel, masked, parts)
    panel.ui.checkButton.click()
    failures = panel.checks_section.open_failures()
    assert failures and shown(panel)[3] == "failed" and "checksSection" in opened(panel)
    assert str(len(failures)) in panel.ui.nextLabel.text
    for check in failures:
        panel.checks_section.select(check)
        assert check.text in panel.ui.checkTextLabel.text
        panel.ui.reasonEdit.text = "half a face on purpose"
        panel.ui.overrideButton.click()
    assert shown(panel)[3] == "done"


def test_a_section_that_the_user_moved_stays_for_this_case_only(slicer, panel, head, masked, parts):
    ui = panel.ui
    ui.exportSection.collapsed = False
    ui.lookSection.collapsed = True
    ui.maskButton.click()
    assert opened(panel) == ["fillSection", "exportSection"]
    ui.fillSection.collapsed = True
    ui.applyButton.click()
    assert opened(panel) == ["checksSection", "exportSection"]
    ui.lookStep.click()
    assert opened(panel) == ["lookSection", "checksSection", "exportSection"]
    panel.parameters.inputVolume = add_volume(parts[0], "Other")
    assert opened(panel) == ["segmentSection"]


def assert_slices_show_the_middle(slicer, head, mask):
    where = np.argwhere(mask)
    middle = (where.min(axis=0) + where.max(axis=0))[::-1] / 2
    for name, axis in (("Red", 2), ("Green", 1), ("Yellow", 0)):
        offset = slicer.util.getNode("vtkMRMLSliceNode" + name).GetSliceToRAS().GetElement(axis, 3)
        spacing = head.GetSpacing()[axis]
        assert offset == pytest.approx(middle[axis] * spacing, abs=2 * spacing)


def test_deface_masks_fills_and_checks_but_never_exports(host, slicer, panel, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The check that failed has its place, to which the slices would go on.
    monkeypatch.setattr(panel.checks_section, "_jump", lambda row: None)
    before = slicer.util.arrayFromVolume(head).copy()
    panel.ui.defaceButton.click()
    assert panel.ui.defaceButton.text == "Cancel" and "Cancel" in panel.ui.nextLabel.text
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)
    assert panel.ui.defaceButton.text == "Deface" and not host.dialogs
    assert panel.ui.defacedLabel.text == "Head defaced" and panel.checks_section.checks
    # The network knows real faces, not this one: the first check that failed is chosen and said.
    first = next(check for check in panel.checks_section.checks if check.verdict == FAIL)
    assert panel.ui.checksTable.currentRow() == panel.checks_section.checks.index(first)
    assert panel.checks_section.title(first) in panel.ui.logText.plainText and "checksSection" in opened(panel)
    assert_slices_show_the_middle(slicer, head, panel.logic.faceMask(head))
    assert shown(panel)[4] == "to do" and list(tmp_path.iterdir()) == []
    assert np.array_equal(before, slicer.util.arrayFromVolume(head))


def test_deface_takes_the_mask_that_is_there_and_leaves_the_look_to_the_person(host, panel, head, masked, parts):
    panel.ui.defaceButton.click()
    assert panel.segment_section.job is None and np.array_equal(panel.logic.faceMask(head), parts[1])
    assert shown(panel) == ["done", "next", "done", "done", "to do"]
    assert not panel.checks_section.open_failures() and not host.dialogs


def test_deface_stops_at_a_check_that_warns(panel, masked, monkeypatch):
    checks = [Check("brain", PASS, 0, "ml", "Fine."), Check("nose", WARN, 0.5, "share", "Thin.", (1.0, 2.0, 3.0))]
    monkeypatch.setattr(panel.logic, "runChecks", lambda *_: checks)
    panel.ui.defaceButton.click()
    assert panel.ui.checksTable.currentRow() == 1 and panel.ui.checkTextLabel.text == "Thin."
    assert "warn (1)" in panel.ui.nextLabel.text and "checksSection" in opened(panel)
    panel.ui.defacedButton.click()
    assert "warn: 1" in panel.ui.nextLabel.text and shown(panel) == ["done"] * 4 + ["next"]


def test_deface_stops_when_packages_are_missing_or_the_user_says_no(host, panel, monkeypatch):
    monkeypatch.setattr(panel.packages_section, "ensure", lambda: False)
    panel.ui.defaceButton.click()
    assert panel.segment_section.job is None and panel.segmentation is None and panel.checks_section.checks is None


def test_deface_on_an_empty_mask_makes_one(panel, head, monkeypatch):
    begun = []
    monkeypatch.setattr(panel.segment_section, "segment", lambda then: begun.append(then))
    panel.ui.drawButton.click()
    assert "empty" in panel.ui.nextLabel.text and shown(panel)[0] == "next"
    panel.ui.defaceButton.click()
    assert begun == [panel.deface_section._fill_and_check]


def test_what_was_written_is_linked_and_names_are_escaped(host, slicer, panel, masked, tmp_path, monkeypatch):
    from CTADefaceLib.slicer_module.panel import links

    seen = []
    monkeypatch.setattr(links.qt.QDesktopServices, "openUrl", seen.append)
    folder = tmp_path / "a <b> & c"
    host.answers.append(str(folder / "out.nrrd"))
    panel.ui.exportMaskCheckBox.checked = panel.ui.reportCheckBox.checked = True
    panel.ui.exportButton.click()
    text = panel.ui.exportedLabel.text
    kept = tmp_path / "a <b> & c-hospital-only"
    assert "<b>" not in text and "a &lt;b&gt; &amp; c/out.nrrd" in text
    for path in (folder, kept, kept / "out_record.json", kept / "out_record.html", kept / "out_facemask.nrrd"):
        assert path.as_uri().replace("&", "&amp;") in text
    panel.ui.exportedLabel.linkActivated.emit((kept / "out_record.html").as_uri())
    assert [Path(address.toLocalFile()) for address in seen] == [kept / "out_record.html"]
    assert [check.name for check in panel.checks_section.checks][-1] == "written_file"


@pytest.mark.parametrize("name", ["A", "A volume with a name that is far longer than the panel is wide, and then some more"])
def test_nothing_that_is_chosen_makes_the_panel_wider(host, slicer, panel, parts, name):
    head = add_volume(parts[0], name)
    panel.parameters.inputVolume = head
    # Slicer gives a module the width of its size hint at least.
    width = panel.parent.sizeHint.width()
    assert panel.form.minimumWidth <= width < 440
    panel.ui.drawButton.click()
    # As the options of an effect do that has wide widgets.
    wide = slicer.util.findChildren(panel.refine_section.editor.widget, name="SegmentsTableResizableFrame")[0]
    wide.setMinimumWidth(900)
    panel.ui.statusLabel.text = panel.ui.reviewLabel.text = "a/path/without/any/space" * 30
    for section in SECTIONS:
        getattr(panel.ui, section).collapsed = False
    host.spin(0.05)
    assert panel.parent.sizeHint.width() == width >= panel.parent.minimumSizeHint.width()


def test_the_list_of_segments_shows_only_when_there_are_several(slicer, panel, masked):
    (segments,) = slicer.util.findChildren(panel.refine_section.editor.widget, name="SegmentsTableResizableFrame")
    assert segments.isHidden()
    other = masked.GetSegmentation().AddEmptySegment("Seed")
    assert not segments.isHidden() and segments.maximumHeight < 160
    masked.GetSegmentation().RemoveSegment(other)
    assert segments.isHidden()


def test_on_a_low_screen_the_section_of_the_step_comes_into_view(host, panel, masked):
    """Slicer shows the panel in a scroll area, of which 1366 x 768 leaves some 400 pixels. The steps stay in view."""
    import qt

    area = qt.QScrollArea()
    area.widgetResizable = True
    area.setWidget(panel.parent)
    area.resize(430, 400)
    area.show()
    host.spin(0.1)
    panel.ui.exportStep.click()
    host.spin(0.1)
    assert area.verticalScrollBar().maximum == 0
    for widget in (panel.ui.defaceButton, panel.ui.exportStep, panel.ui.nextLabel):
        assert not panel.ui.sections.isAncestorOf(widget)
        assert area.viewport().rect.contains(widget.mapTo(area.viewport(), widget.rect.center()))
    top = panel.ui.exportSection.mapTo(area.viewport(), qt.QPoint(0, 0)).y()
    bottom = panel.ui.exportSection.mapTo(area.viewport(), qt.QPoint(0, panel.ui.exportSection.height)).y()
    assert 0 <= top < bottom <= area.viewport().height
    # Of a section that is higher than the area, the upper part is seen.
    panel.ui.lookSection.minimumHeight = 900
    panel.ui.lookStep.click()
    host.spin(0.1)
    assert 0 <= panel.ui.lookSection.mapTo(area.viewport(), qt.QPoint(0, 0)).y() < 300
    panel.parent.setParent(None)


def test_segments_can_be_added_where_several_are_of_use(panel, masked):
    editor = panel.refine_section.editor.widget
    assert not editor.addRemoveSegmentButtonsVisible
    for effect, offered in (("Grow from seeds", True), ("Paint", False), ("Logical operators", True), ("", False)):
        editor.setActiveEffectByName(effect)
        assert editor.addRemoveSegmentButtonsVisible == offered
    other = masked.GetSegmentation().AddEmptySegment("Seed")
    assert editor.addRemoveSegmentButtonsVisible
    masked.GetSegmentation().RemoveSegment(other)
    assert not editor.addRemoveSegmentButtonsVisible


def test_without_a_mask_there_is_no_list_of_segments_and_nothing_to_add(slicer, panel):
    editor = panel.refine_section.editor.widget
    (segments,) = slicer.util.findChildren(editor, name="SegmentsTableResizableFrame")
    assert panel.segmentation is None and segments.isHidden() and not editor.addRemoveSegmentButtonsVisible
