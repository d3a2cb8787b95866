"""The row "Keep": segments of the scene that a person ticks are never filled."""

import json

import numpy as np
import pytest

from helpers.slicer_scene import add_ball, add_segments, add_volume


@pytest.fixture
def structures(slicer, head, parts):
    """A segmentation node with "Orbit", which reaches into the face's mask, and "Node & vessel" behind it."""
    thick = np.unravel_index(parts[1].sum(1).argmax(), parts[1].shape[::2])
    rear = parts[1][thick[0], :, thick[1]].argmax()
    boxes = {"Orbit": slice(rear - 4, rear + 2), "Node & vessel": slice(rear - 9, rear - 5)}
    masks = {name: np.zeros(parts[0].shape, bool) for name in boxes}
    for name, rows in boxes.items():
        masks[name][thick[0] - 1 : thick[0] + 2, rows, thick[1] - 1 : thick[1] + 2] = True
    return add_segments(slicer, head, masks)


class Menu:
    """The row's menu, opened as a click on the button opens it."""

    def __init__(self, panel):
        import qt

        self.menu = panel.ui.keepButton.menu()
        self.menu.popup(qt.QPoint(0, 0))
        area = self.menu.findChild(qt.QScrollArea)
        inside = area.widget() if area is not None else None
        self.boxes = {box.text: box for box in inside.findChildren(qt.QCheckBox)} if inside else {}
        self.headings = [label.text for label in inside.findChildren(qt.QLabel)] if inside else []

    @property
    def ticked(self):
        return [name for name, box in self.boxes.items() if box.checked]

    def close(self):
        self.menu.close()


def ticks(panel, *names):
    menu = Menu(panel)
    for name in names:
        menu.boxes[name].click()
    assert menu.menu.visible, "A tick leaves the menu open for the next one."
    assert menu.menu.actions()[0].enabled == bool(menu.ticked)
    menu.close()


def keep_nothing(panel):
    menu = Menu(panel)
    action = menu.menu.actions()[0]
    assert action.text == "Keep nothing" and action.enabled
    action.trigger()
    menu.close()


def filled(panel, fill="air"):
    panel.parameters.fill = fill
    panel.ui.applyButton.click()
    import slicer

    return slicer.util.arrayFromVolume(panel.export_section._defaced())


def orbit(panel, structures):
    from CTADefaceLib.slicer_module.scene.face_segment import segment_mask

    return segment_mask(structures, "Orbit", panel.volume)


def test_the_menu_offers_every_segment_but_faces_and_says_what_is_chosen(slicer, panel, masked, structures, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    other = face_segment.new_face(add_volume(parts[0], "Other"))
    other.GetSegmentation().AddEmptySegment("gland", "Gland")
    hidden = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Hidden")
    hidden.GetSegmentation().AddEmptySegment("a", "a")
    hidden.SetHideFromEditors(True)
    menu = Menu(panel)
    assert list(menu.boxes) == ["Orbit", "Node && vessel", "Gland"] and menu.ticked == []
    assert menu.headings == ["Structures", "Other face mask"]
    assert panel.ui.keepButton.text == "nothing" and not menu.menu.actions()[0].enabled
    menu.close()
    ticks(panel, "Orbit", "Node && vessel")
    assert panel.ui.keepButton.text == "Orbit, Node && vessel"
    assert "Orbit, Node & vessel" in panel.ui.keepButton.toolTip
    assert panel.logic.keptSegments(masked) == [(structures, "Orbit"), (structures, "Node & vessel")]
    ticks(panel, "Orbit")
    assert panel.ui.keepButton.text == "Node && vessel"
    keep_nothing(panel)
    assert panel.ui.keepButton.text == "nothing" and panel.logic.keptSegments(masked) == []


def test_what_is_kept_is_not_filled_and_a_fill_and_checks_made_before_no_longer_count(
    host, panel, masked, structures, parts, tmp_path
):
    ui, keep = panel.ui, orbit(panel, structures)
    panel.steps_row.looked()
    without = filled(panel).copy()
    ui.checkButton.click()
    assert panel.steps_row.standing().filled and panel.steps_row.standing().checked
    ticks(panel, "Orbit")
    assert not panel.steps_row.standing().filled and panel.checks_section.checks is None
    assert ui.fillStep.accessibleName.endswith("next")
    now = filled(panel)
    assert np.array_equal(now[keep], parts[0][keep]) and not np.array_equal(without[keep], parts[0][keep])
    ui.checkButton.click()
    titles = {panel.checks_section.title(check): check.verdict for check in panel.checks_section.checks}
    assert titles["Kept structures"] in ("pass", "warn")
    host.answers.append(str(tmp_path / "release" / "out.nrrd"))
    ui.exportButton.click()
    assert panel.steps_row.standing().exported
    (record,) = (tmp_path / "release-hospital-only").glob("*.json")
    assert [one["name"] for one in json.loads(record.read_text())["kept"]["structures"]] == ["Orbit"]
    keep_nothing(panel)
    assert not panel.steps_row.standing().exported and panel.checks_section.checks is None


def test_the_preview_follows_what_is_kept(host, slicer, panel, masked, structures, parts):
    keep, panel.parameters.fill = orbit(panel, structures), "air"
    panel.ui.defacedButton.click()
    shown = panel.logic.preview._nodes["defaced"]
    assert not np.array_equal(slicer.util.arrayFromVolume(shown)[keep], parts[0][keep])
    ticks(panel, "Orbit")
    assert host.spin(lambda: np.array_equal(slicer.util.arrayFromVolume(shown)[keep], parts[0][keep]), 10)


def test_the_row_follows_segments_that_are_renamed_edited_moved_and_removed(host, slicer, panel, head, masked, structures):
    ui = panel.ui
    ticks(panel, "Orbit", "Node && vessel")
    structures.GetSegmentation().GetSegment("Orbit").SetName("Orbit_L")
    assert ui.keepButton.text == "Orbit_L, Node && vessel"
    filled(panel)
    assert panel.steps_row.standing().filled
    mask = orbit(panel, structures)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.roll(mask, 1, 1).astype(np.uint8), structures, "Orbit", head)
    assert not panel.steps_row.standing().filled
    filled(panel)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    structures.SetAndObserveTransformNodeID(transform.GetID())
    assert not panel.steps_row.standing().filled
    structures.GetSegmentation().RemoveSegment("Orbit")
    assert ui.keepButton.text == "No longer in the scene: Orbit_L" and "Choose again" in ui.keepButton.toolTip
    ui.applyButton.click()
    assert "has left the scene (Orbit_L)" in host.dialogs[-1].text
    menu = Menu(panel)
    assert menu.ticked == ["Node && vessel"]
    menu.close()
    slicer.mrmlScene.RemoveNode(structures)
    assert ui.keepButton.text == "No longer in the scene: Orbit_L, Node & vessel".replace("&", "&&")
    menu = Menu(panel)
    assert menu.boxes == {} and not menu.menu.actions()[-1].enabled
    menu.close()
    keep_nothing(panel)
    assert ui.keepButton.text == "nothing" and filled(panel).any()
    assert not [dialog for dialog in host.dialogs[1:] if dialog.kind == "error"]


def test_surfaces_as_of_an_rtstruct_are_kept_and_their_labelmaps_do_not_count_as_a_change(
    host, slicer, panel, masked, structures, parts
):
    k, j, i = np.argwhere(orbit(panel, structures)).mean(0) * 3
    add_ball(slicer, (k, j, i), "RTSTRUCT")
    ticks(panel, "GTV")
    now = filled(panel)
    panel.ui.checkButton.click()
    assert panel.steps_row.standing().filled and "kept" in {check.name for check in panel.checks_section.checks}
    inner = np.linalg.norm((np.stack(np.indices(parts[0].shape), -1) * 3.0) - (k, j, i), axis=-1) < 6
    assert (inner & parts[1]).any() and np.array_equal(now[inner], parts[0][inner]) and not host.dialogs


@pytest.mark.parametrize("removed", [False, True])
def test_what_is_chosen_before_there_is_a_mask_holds_for_the_first_one(host, panel, structures, removed):
    from CTADefaceLib.slicer_module.scene import face_segment

    ticks(panel, "Orbit")
    assert panel.ui.keepButton.text == "Orbit" and face_segment.find_face(panel.volume) is None
    if removed:
        structures.GetSegmentation().RemoveSegment("Orbit")
    panel.ui.drawButton.click()
    assert panel.ui.keepButton.text == ("No longer in the scene: Orbit" if removed else "Orbit")
    if not removed:
        assert panel.logic.keptSegments(panel.segmentation) == [(structures, "Orbit")]
        panel.logic.keepSegments(panel.segmentation, [])
        panel.update()
        assert panel.ui.keepButton.text == "nothing"


def test_a_kept_segment_beside_the_face_is_not_asked_about(host, slicer, panel, head, masked, structures):
    masked.GetSegmentation().AddEmptySegment("eye", "Eye")
    mask = orbit(panel, structures).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, masked, "eye", head)
    ticks(panel, "Eye")
    filled(panel)
    assert not host.dialogs
    keep_nothing(panel)
    host.answers.append(True)
    filled(panel)
    assert "Eye" in host.dialogs[-1].text


def test_the_row_belongs_to_the_volume_and_a_closed_scene_lets_go(slicer, panel, masked, structures, parts):
    ticks(panel, "Orbit")
    panel.parameters.inputVolume = add_volume(parts[0], "Other")
    assert panel.ui.keepButton.text == "nothing"
    panel.parameters.inputVolume = slicer.util.getNode("Head")
    assert panel.ui.keepButton.text == "Orbit"
    slicer.mrmlScene.Clear(0)
    assert panel.ui.keepButton.text == "nothing" and not panel.ui.keepButton.enabled
