"""Slicer's Segment Editor inside the panel, with an editor node of its own so that it and Slicer's own module do not
disturb each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
import vtk

from . import face_segment
from .brush_views import BrushViews
from .narrow_editor import make_narrow
from .threshold_range import looked_up_when_chosen

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer import vtkMRMLSegmentEditorNode as EditorNode

NODE_TAG = "CTADeface"
EFFECTS = ("Paint", "Erase", "Scissors", "Islands", "Margin", "Smoothing", "Threshold", "Logical operators", "Grow from seeds")
# Effects that work on several segments.
WITH_SEVERAL_SEGMENTS = ("Logical operators", "Grow from seeds")
UNDO_STATES = 10
# Height of the list of segments in lines of text: its header and two rows.
LIST_LINES = 6


class FaceEditor:
    """Wraps the embedded qMRMLSegmentEditorWidget ``widget``; ``brush_views`` are told when the preview is shown.

    ``effect_chosen`` is called when a person has chosen an effect.
    """

    def __init__(self, effect_chosen: Callable[[], None]) -> None:
        self._effect_chosen, self._effect = effect_chosen, ""
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.brush_views = BrushViews(self.widget)
        self._observed: EditorNode | None = None
        self._tag = 0
        self._list = slicer.util.findChildren(self.widget, name="SegmentsTableResizableFrame")
        self.widget.setMaximumNumberOfUndoStates(UNDO_STATES)
        self.widget.segmentationNodeSelectorVisible = False
        self.widget.sourceVolumeNodeSelectorVisible = False
        self.widget.switchToSegmentationsButtonVisible = False
        # The preview makes the surface, and only while it is looked at.
        self.widget.show3DButtonVisible = False
        make_narrow(self.widget)
        self.widget.setEffectNameOrder(list(EFFECTS))
        self.widget.unorderedEffectsVisible = False
        # The node is set before the scene: the node keeps what the widget selects when it gets the scene.
        self._use_node()
        self.widget.setMRMLScene(slicer.mrmlScene)
        for frame in self._list:
            frame.setMaximumHeight(LIST_LINES * qt.QFontMetrics(self.widget.font).height())
        for masking in slicer.util.findChildren(self.widget, name="MaskingGroupBox"):
            masking.collapsed = True
        self.show_list(None)

    def show_list(self, segmentation: SegmentationNode | None) -> None:
        """Show the list of segments when there is more than the face to choose from, and the buttons that add and remove
        segments when several are of use."""
        several = segmentation is not None and segmentation.GetSegmentation().GetNumberOfSegments() > 1
        node = self.widget.mrmlSegmentEditorNode()
        for frame in self._list:
            frame.visible = several
        self.widget.addRemoveSegmentButtonsVisible = several or (
            node is not None and node.GetActiveEffectName() in WITH_SEVERAL_SEGMENTS
        )

    def edit(self, segmentation: SegmentationNode | None, volume: VolumeNode | None) -> None:
        """Edit the face segment of ``segmentation`` over ``volume``; None for nothing to edit."""
        self._use_node()
        self.show_list(segmentation)
        with looked_up_when_chosen(self.widget):
            # It takes over the volume that the segmentation refers to.
            self.widget.setSegmentationNode(segmentation)
            if segmentation is not None:
                self.widget.setSourceVolumeNode(volume)
        if segmentation is not None:
            self.widget.setCurrentSegmentID(face_segment.face_segment_id(segmentation) or "")

    def edits(self, segmentation: SegmentationNode) -> bool:
        """Is one of the segments of ``segmentation`` chosen?"""
        chosen = self.widget.segmentationNode() is segmentation
        return chosen and segmentation.GetSegmentation().GetSegment(self.widget.currentSegmentID()) is not None

    def save_for_undo(self) -> None:
        """Let the next change be undone with the editor's Undo."""
        self.widget.saveStateForUndo()

    def enter(self) -> None:
        """The panel is shown: switch keyboard shortcuts on."""
        self._use_node()
        self.widget.installKeyboardShortcuts()
        self.widget.updateWidgetFromMRML()

    def leave(self) -> None:
        """The panel is left: switch off keyboard shortcuts and the active effect."""
        self.widget.setActiveEffect(None)
        self.widget.uninstallKeyboardShortcuts()
        self.widget.removeViewObservations()

    def scene_closes(self) -> None:
        """Let go of nodes that are about to be removed."""
        self.widget.setSegmentationNode(None)
        self.widget.removeViewObservations()

    def close(self) -> None:
        """The panel is destroyed."""
        self.leave()
        self._observe(None)
        self.widget.setSegmentationNode(None)
        # Otherwise two editors would act on one node after a reload.
        self.widget.setMRMLSegmentEditorNode(None)
        self.widget.deleteLater()

    def _use_node(self) -> None:
        node = slicer.mrmlScene.GetSingletonNode(NODE_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(NODE_TAG)
            node = slicer.mrmlScene.AddNode(node)
        if self.widget.mrmlSegmentEditorNode() is not node:
            self.widget.setMRMLSegmentEditorNode(node)
        self._observe(node)

    def _observe(self, node: EditorNode | None) -> None:
        """Follow what is chosen in ``node``, in place of the one before; None: nothing."""
        if node is self._observed:
            return
        if self._observed is not None:
            self._observed.RemoveObserver(self._tag)
        self._observed = node
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._on_choice(node))

    def _on_choice(self, node: EditorNode) -> None:
        self.brush_views.update()
        self.show_list(node.GetSegmentationNode())
        before, self._effect = self._effect, node.GetActiveEffectName() or ""
        if self._effect and self._effect != before:
            self._effect_chosen()
