"""While the preview is shown, brushes keep to the slices: in 3D views, each movement would draw the whole rendering anew."""

import pytest


@pytest.fixture
def editor(panel, masked):
    return panel.refine_section.editor.widget


def views_of(segmentation):
    display = segmentation.GetDisplayNode()
    return {display.GetNthViewNodeID(i) for i in range(display.GetNumberOfViewNodeIDs())}


def slices(slicer):
    return {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")}


def test_a_brush_keeps_to_the_slices_only_while_a_preview_is_shown(slicer, panel, masked, editor):
    editor.setActiveEffectByName("Paint")
    assert views_of(masked) == set()
    panel.ui.originalButton.click()
    assert views_of(masked) == slices(slicer) != set()
    panel.ui.originalButton.click()
    assert views_of(masked) == set()


@pytest.mark.parametrize("other", ["Scissors", "Margin", ""])
def test_other_effects_work_in_3d_views_as_ever(host, slicer, panel, masked, editor, other):
    panel.ui.originalButton.click()
    for brush in ("Paint", "Erase"):
        editor.setActiveEffectByName(brush)
        assert views_of(masked) == slices(slicer)
    before = host.segment_editor_calls(editor).count(("setupViewObservations",))
    editor.setActiveEffectByName(other)
    assert views_of(masked) == set()
    # The editor looks for views before it says that the effect was chosen.
    assert host.segment_editor_calls(editor).count(("setupViewObservations",)) == before + bool(other)


def test_the_users_own_choice_of_views_comes_back(slicer, panel, masked, editor):
    masked.GetDisplayNode().AddViewNodeID("vtkMRMLSliceNodeRed")
    panel.ui.originalButton.click()
    editor.setActiveEffectByName("Erase")
    assert views_of(masked) == slices(slicer)
    editor.setActiveEffectByName("")
    assert views_of(masked) == {"vtkMRMLSliceNodeRed"}


def test_who_asks_to_paint_in_3d_views_can(slicer, panel, masked, editor):
    panel.ui.originalButton.click()
    editor.setActiveEffectByName("Paint")
    editor.activeEffect().setCommonParameter("EditIn3DViews", 1)
    assert views_of(masked) == set()
    editor.activeEffect().setCommonParameter("EditIn3DViews", 0)
    assert views_of(masked) == slices(slicer)


def test_leaving_and_closing_give_the_views_back(host, slicer, panel, masked, editor):
    panel.ui.originalButton.click()
    editor.setActiveEffectByName("Paint")
    host.leave(panel)
    assert views_of(masked) == set()
    host.enter(panel)
    panel.ui.originalButton.click()
    editor.setActiveEffectByName("Paint")
    slicer.mrmlScene.Clear(0)
    assert panel.logic.preview.state is None
