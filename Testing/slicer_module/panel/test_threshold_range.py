"""A new mask makes the editor's effect Threshold look at no voxel of the volume, until a person chooses that effect."""

import pytest


@pytest.fixture
def threshold(panel):
    return panel.refine_section.editor.widget.effectByName("Threshold").self()


def test_a_new_mask_is_offered_without_a_look_at_all_voxels(panel, masked, head, threshold):
    editor = panel.refine_section.editor
    assert editor.widget.sourceVolumeNode() is head and editor.edits(masked)
    assert threshold.ranges == []
    # Slicer's own object is back in its place.
    assert threshold.scriptedEffect is editor.widget.effectByName("Threshold")


def test_who_chooses_threshold_gets_the_range_of_the_volume(slicer, panel, masked, head, threshold):
    panel.refine_section.editor.widget.setActiveEffectByName("Threshold")
    voxels = slicer.util.arrayFromVolume(head)
    assert threshold.ranges == [(voxels.min(), voxels.max())]


def test_an_effect_that_is_chosen_or_not_written_in_python_is_left_alone(panel, masked, head, threshold):
    from CTADefaceLib.slicer_module.scene.threshold_range import looked_up_when_chosen

    widget = panel.refine_section.editor.widget
    widget.setActiveEffectByName("Threshold")
    with looked_up_when_chosen(widget):
        threshold.sourceVolumeNodeChanged()
    assert len(threshold.ranges) == 2
    widget.setActiveEffectByName("")
    with looked_up_when_chosen(widget):
        threshold.sourceVolumeNodeChanged()
        # Everything else goes through.
        assert threshold.scriptedEffect.name == "Threshold"
    assert len(threshold.ranges) == 2
    widget._effects["Threshold"] = widget.effectByName("Paint")
    with looked_up_when_chosen(widget):
        pass
