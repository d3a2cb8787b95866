"""Before and after in two views whose cameras follow each other, and what the user gets back."""

import numpy as np

SIDE_BY_SIDE = "side by side"


def cameras(slicer):
    from CTADefaceLib.slicer_module.scene.users_view import AFTER, BEFORE

    views = [slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLViewNode") for name in (BEFORE, AFTER)]
    return views, [slicer.modules.cameras.logic().GetViewActiveCameraNode(view) for view in views]


def renderings(slicer):
    nodes = [n for n in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode") if n.GetVisibility()]
    return {
        n.GetDisplayableNode().GetName(): [n.GetNthViewNodeID(i) for i in range(n.GetNumberOfViewNodeIDs())] for n in nodes
    }


def test_before_and_after_stand_side_by_side_and_the_cameras_follow_each_other(slicer, panel, head, masked):
    panel.ui.sideBySideButton.click()
    assert panel.logic.preview.state == SIDE_BY_SIDE and panel.ui.sideBySideButton.checked
    views, (one, other) = cameras(slicer)
    assert all(view.IsViewVisibleInLayout() for view in views)
    assert renderings(slicer) == {"Head": [views[0].GetID()], "CTADeface preview": [views[1].GetID()]}
    for button in (panel.ui.obliqueButton, panel.ui.frontButton):
        button.click()
        assert np.allclose(one.GetPosition(), other.GetPosition()) and one.GetPosition() != (0.0, 500.0, 0.0)
    other.SetPosition(10, 20, 30)
    other.SetViewAngle(25)
    assert one.GetPosition() == (10, 20, 30) and one.GetViewAngle() == 25
    one.SetFocalPoint(1, 2, 3)
    assert other.GetFocalPoint() == (1, 2, 3)


def test_going_on_to_one_view_keeps_the_camera_and_hiding_brings_the_users_back(slicer, panel, head, masked):
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    before = manager.layout
    own = slicer.modules.cameras.logic().GetViewActiveCameraNode(slicer.util.getNode("vtkMRMLViewNode1"))
    own.SetPosition(11, 22, 33)
    panel.ui.sideBySideButton.click()
    _views, (one, other) = cameras(slicer)
    one.SetPosition(100, 200, 300)
    panel.ui.defacedButton.click()
    assert own.GetPosition() == (100, 200, 300)
    assert renderings(slicer) == {"CTADeface preview": ["vtkMRMLViewNode1"]}
    other.SetPosition(1, 2, 3)
    assert one.GetPosition() == (100, 200, 300)
    panel.ui.sideBySideButton.click()
    panel.preview_section.hide()
    assert own.GetPosition() == (11, 22, 33) and manager.layout == before and renderings(slicer) == {}


def test_closing_the_scene_side_by_side_brings_back_the_layout(slicer, panel, head, masked):
    manager = slicer.app.layoutManager()
    before = manager.layout
    panel.ui.sideBySideButton.click()
    slicer.mrmlScene.Clear(0)
    assert manager.layout == before and panel.logic.preview.state is None


def test_front_and_oblique_show_a_preview_when_there_is_none(slicer, panel, head, masked):
    assert panel.ui.frontButton.enabled and panel.ui.obliqueButton.enabled
    panel.ui.obliqueButton.click()
    assert panel.logic.preview.state == "defaced"
