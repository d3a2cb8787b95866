"""The panel's preview: what is shown, what follows edits, and what the user gets back."""

import numpy as np
import pytest

from helpers.slicer_scene import add_volume, node_ids


def test_preview_follows_edits_and_never_touches_the_volume(host, slicer, panel, head, masked):
    before = slicer.util.arrayFromVolume(head).copy()
    panel.ui.defacedButton.click()
    shown = slicer.util.getNode("CTADeface preview")
    first = slicer.util.arrayFromVolume(shown).copy()
    panel.ui.growButton.click()
    grown = panel.logic.faceMask(head)
    assert host.spin(lambda: not np.array_equal(first, slicer.util.arrayFromVolume(shown)), 10)
    assert len(np.unique(slicer.util.arrayFromVolume(shown)[grown])) == 1
    panel.ui.followCheckBox.checked = False
    second = slicer.util.arrayFromVolume(shown).copy()
    panel.ui.growButton.click()
    host.spin(1.0)
    assert np.array_equal(second, slicer.util.arrayFromVolume(shown))
    assert np.array_equal(before, slicer.util.arrayFromVolume(head))


def test_key_goes_round_the_previews(panel, masked):
    states = []
    for _ in range(4):
        panel.preview_section.next()
        states.append(panel.logic.preview.state)
    assert states == ["original", "mask", "defaced", "original"]
    panel.ui.originalButton.click()
    assert panel.logic.preview.state is None and not panel.ui.originalButton.checked


def renderings(slicer):
    return [n for n in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode") if n.GetVisibility()]


def surfaces(slicer):
    """Surfaces of a mask that are shown, with their models."""
    return [
        n
        for n in slicer.util.getNodesByClass("vtkMRMLModelDisplayNode")
        if n.GetName() == "CTADeface mask" and n.GetVisibility()
    ]


def test_each_preview_shows_one_rendering_and_the_mask_only_when_asked(slicer, panel, head, masked):
    for button, volume_name, with_mask in (
        (panel.ui.originalButton, "Head", False),
        (panel.ui.maskButton, "Head", True),
        (panel.ui.defacedButton, "CTADeface preview", False),
    ):
        button.click()
        visible = renderings(slicer)
        assert [n.GetDisplayableNode().GetName() for n in visible] == [volume_name]
        assert visible[0].GetVolumePropertyNode().GetScalarOpacity().GetValue(217.6) == pytest.approx(0.676, abs=0.01)
        assert bool(surfaces(slicer)) == with_mask and not masked.GetDisplayNode().GetVisibility3D()


def test_leaving_brings_back_the_users_layout_camera_and_renderings(host, slicer, panel, head, masked):
    logic = slicer.modules.volumerendering.logic()
    own = logic.CreateDefaultVolumeRenderingNodes(head)
    own.SetVisibility(True)
    manager = slicer.app.layoutManager()
    manager.setLayout(6)
    before = node_ids(slicer)
    masked.GetDisplayNode().SetVisibility3D(False)
    panel.ui.defacedButton.click()
    assert manager.threeDWidget(0).mrmlViewNode().IsViewVisibleInLayout() and own.GetVisibility() == 0
    panel.ui.obliqueButton.click()
    host.leave(panel)
    assert manager.layout == 6 and own.GetVisibility() == 1 and masked.GetDisplayNode().GetVisibility3D() == 0
    assert not [i for i in node_ids(slicer) - before if slicer.mrmlScene.GetNodeByID(i).GetName().startswith("CTADeface")]
    assert head.GetNumberOfDisplayNodes() == 2
    host.enter(panel)
    assert panel.logic.preview.state is None and panel.ui.defacedButton.enabled


def test_preview_leaves_a_maximized_slice_view_and_comes_back_to_it(slicer, panel, head, masked):
    manager = slicer.app.layoutManager()
    layout, red = manager.layoutLogic().GetLayoutNode(), manager.sliceWidget("Red").mrmlSliceNode()
    layout.AddMaximizedViewNode(red)
    panel.ui.originalButton.click()
    assert manager.threeDWidget(0).mrmlViewNode().IsViewVisibleInLayout()
    panel.preview_section.hide()
    assert layout.IsMaximizedViewNode(red) and not manager.threeDWidget(0).mrmlViewNode().IsViewVisibleInLayout()
    layout.RemoveAllMaximizedViewNodes()


def test_surface_of_the_mask_lies_around_it_and_follows_edits(host, slicer, panel, head, masked):
    """It is not Slicer's own, which each stroke of the brush would make again."""
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    def bounds():
        return np.reshape(surfaces(slicer)[0].GetDisplayableNode().GetPolyData().GetBounds(), (3, 2))

    panel.ui.maskButton.click()
    assert not masked.GetSegmentation().ContainsRepresentation("Closed surface")
    voxels = np.argwhere(panel.logic.faceMask(head, masked))[:, ::-1]
    centres = voxels @ grid_to_ras(head)[:3, :3].T + grid_to_ras(head)[:3, 3]
    spacing = np.array(head.GetSpacing())
    assert np.allclose(bounds()[:, 0], centres.min(0) - spacing / 2, atol=0.6 * spacing.max())
    assert np.allclose(bounds()[:, 1], centres.max(0) + spacing / 2, atol=0.6 * spacing.max())
    before = bounds()
    panel.ui.growButton.click()
    host.spin(lambda: not np.allclose(bounds(), before), 10)
    masked.GetSegmentation().GetSegment("Face").SetColor(0, 0, 1)
    panel.preview_section.toggle("original")
    assert not surfaces(slicer)
    panel.ui.maskButton.click()
    assert surfaces(slicer)[0].GetColor() == (0, 0, 1)


def test_without_a_graphics_card_a_coarser_copy_is_drawn_by_the_processor(slicer, panel, parts, monkeypatch):
    """A picture of the whole volume would take seconds."""
    from CTADefaceLib.slicer_module.scene import face_segment
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    fine = add_volume(np.kron(parts[0], np.ones((2, 2, 2), np.int16)), matrix=np.diag([-0.5, 0.5, 0.75, 1.0]))
    face_segment.set_mask(face_segment.new_face(fine), np.kron(parts[1], np.ones((2, 2, 2), bool)), fine)
    panel.parameters.inputVolume = fine
    panel.parameters.fill = "air"
    window = slicer.app.layoutManager().threeDWidget(0).threeDView().renderWindow()
    monkeypatch.setattr(window, "graphics", "OpenGL renderer string:  llvmpipe")
    panel.ui.defacedButton.click()
    (shown,) = renderings(slicer)
    copy = shown.GetDisplayableNode()
    assert shown.IsA("vtkMRMLCPURayCastVolumeRenderingDisplayNode") and copy is not fine
    assert np.allclose(copy.GetSpacing(), (1.0, 1.0, 0.75))
    # The first block is in the middle of the voxels that it is made of.
    assert np.allclose(grid_to_ras(copy)[:3, 3], (-0.25, 0.25, 0.0))
    wanted = panel.logic.defacedArray(fine, fill="air").reshape(160, 80, 2, 64, 2)
    assert np.abs(slicer.util.arrayFromVolume(copy) - wanted.mean((2, 4))).max() <= 1
    panel.ui.originalButton.click()
    (shown,) = renderings(slicer)
    assert shown.GetDisplayableNode() not in (fine, copy)


def test_camera_comes_back_and_buttons_turn_it(slicer, panel, head, masked):
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view)
    camera.SetPosition(11, 22, 33)
    panel.ui.originalButton.click()
    front = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    assert front[1] > 100 and abs(front[0]) < 1e-6 and abs(front[2]) < 1e-6
    panel.ui.obliqueButton.click()
    oblique = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    assert oblique[0] < -50 and oblique[1] > 50 and abs(oblique[2]) < 1e-6
    panel.preview_section.hide()
    assert camera.GetPosition() == (11, 22, 33)


def test_closing_the_scene_in_a_preview_brings_back_the_layout(slicer, panel, head, masked):
    manager = slicer.app.layoutManager()
    manager.setLayout(6)
    panel.ui.originalButton.click()
    assert manager.layout != 6
    slicer.mrmlScene.Clear(0)
    assert manager.layout == 6 and panel.logic.preview.state is None


def test_nothing_of_the_preview_can_be_chosen_elsewhere(slicer, panel, head, masked):
    before = node_ids(slicer)
    panel.ui.defacedButton.click()
    made = [slicer.mrmlScene.GetNodeByID(i) for i in node_ids(slicer) - before]
    assert len(made) >= 3 and all(
        node.GetHideFromEditors() and not node.GetSaveWithScene() for node in made if not node.IsA("vtkMRMLStorageNode")
    )
    assert all(node.GetName().startswith("CTADeface") for node in made if node.IsA("vtkMRMLVolumePropertyNode"))


def test_a_volume_whose_first_display_is_the_previews_can_be_filled(slicer, panel, masked, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    bare = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Bare")
    slicer.util.updateVolumeFromArray(bare, parts[0])
    face_segment.set_mask(face_segment.new_face(bare), parts[1], bare)
    panel.logic.showPreview(bare, state="original")
    assert bare.GetDisplayNode().IsA("vtkMRMLVolumeRenderingDisplayNode")
    assert panel.logic.applyFill(bare).GetName() == "Bare defaced"


def test_a_preview_whose_volume_somebody_removed_is_made_again(slicer, panel, masked):
    panel.ui.defacedButton.click()
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("CTADeface preview"))
    panel.ui.originalButton.click()
    panel.ui.defacedButton.click()
    assert [n.GetDisplayableNode().GetName() for n in renderings(slicer)] == ["CTADeface preview"]


def test_what_has_not_changed_is_not_filled_again(panel, head, masked, monkeypatch):
    from CTADefaceLib.slicer_module.export import node_export

    fills, fill = [], node_export.fill_scan
    monkeypatch.setattr(node_export, "fill_scan", lambda *a: fills.append(1) or fill(*a))
    for button in (panel.ui.defacedButton, panel.ui.originalButton, panel.ui.sideBySideButton, panel.ui.defacedButton):
        button.click()
    assert len(fills) == 1
    panel.parameters.fill = "air"
    panel.ui.sideBySideButton.click()
    assert len(fills) == 2
    panel.ui.followCheckBox.checked = False
    panel.ui.growButton.click()
    panel.ui.defacedButton.click()
    assert len(fills) == 3
    panel.preview_section.hide()
    panel.ui.defacedButton.click()
    assert len(fills) == 4


def test_following_waits_for_the_end_of_a_stroke_and_stops_when_it_is_hidden(host, slicer, panel, head, masked, monkeypatch):
    import qt

    panel.ui.defacedButton.click()
    shown = slicer.util.getNode("CTADeface preview")
    first = slicer.util.arrayFromVolume(shown).copy()

    def changed():
        return not np.array_equal(first, slicer.util.arrayFromVolume(shown))

    pressed = [qt.Qt.LeftButton]
    monkeypatch.setattr(type(slicer.app), "mouseButtons", lambda *_: pressed[0])
    panel.ui.growButton.click()
    host.spin(1.5)
    assert not changed()
    pressed[0] = qt.Qt.NoButton
    assert host.spin(changed, 10)
    panel.ui.growButton.click()
    panel.preview_section.hide()
    host.spin(1.0)
    assert panel.preview_section.state is None and not panel.preview_section._renewing.busy


@pytest.mark.parametrize("state", ["mask", "defaced"])
def test_an_update_that_comes_after_the_preview_was_hidden_changes_nothing(slicer, panel, head, masked, state):
    panel.preview_section.buttons[state].click()
    work, put = panel.logic.renewPreview(masked)
    panel.preview_section.buttons[state].click()
    before = node_ids(slicer)
    put(work())
    assert node_ids(slicer) == before and panel.logic.preview.state is None
    panel.ui.originalButton.click()
    before = node_ids(slicer)
    put(work())
    assert node_ids(slicer) == before and not surfaces(slicer)


def test_a_preview_that_is_cancelled_leaves_the_screen_as_it_was(slicer, panel, head, masked, monkeypatch):
    from CTADefaceLib.errors import Cancelled
    from CTADefaceLib.slicer_module.scene import preview

    def cancelled(work):
        raise Cancelled()

    manager, before = slicer.app.layoutManager(), node_ids(slicer)
    manager.setLayout(6)
    monkeypatch.setattr(preview, "in_background", cancelled)
    panel.ui.originalButton.click()
    assert panel.preview_section.state is None and manager.layout == 6 and not panel.ui.originalButton.checked
    assert not [i for i in node_ids(slicer) - before if slicer.mrmlScene.GetNodeByID(i).GetName().startswith("CTADeface")]
    assert "Cancelled." in panel.ui.logText.plainText
    monkeypatch.undo()
    panel.ui.originalButton.click()
    assert panel.preview_section.state == "original"


def test_even_air_in_the_coarse_copy_changes_no_pixel(parts):
    """VTK's renderer for processors looks for slopes in every voxel whose neighbours differ."""
    pytest.importorskip("vtk")
    from CTADefaceLib.rendering.camera import FRONTAL, OBLIQUE, tissue_focus
    from CTADefaceLib.rendering.offscreen import OPACITY_POINTS, draw_views
    from CTADefaceLib.slicer_module.scene.coarse import INVISIBLE_HU, averaged, drawable

    assert OPACITY_POINTS[0][0] >= INVISIBLE_HU
    noise = np.random.default_rng(1).integers(-60, 60, parts[0].shape)
    hu = (parts[0] + noise).astype(np.int16)
    even, grid = drawable(hu, (1, 1, 1)), np.diag([2.0, 2.0, 2.0, 1.0])
    focus = tissue_focus(hu, grid)
    plain, drawn = (draw_views(array, grid, (FRONTAL, OBLIQUE), 200, focus, None) for array in (averaged(hu, (1, 1, 1)), even))
    assert np.array_equal(plain, drawn) and np.std(plain) > 10
    air = hu < -900
    assert (even[air] == hu.min()).mean() > 0.5 > 0.05 > (hu[air] == hu.min()).mean()
