"""Slicer's Segment Editor inside the panel; an editor node of its own keeps the two from disturbing each other."""

import slicer

from . import face_segment

NODE_TAG = "CTADeface"
EFFECTS = ("Paint", "Erase", "Scissors", "Islands", "Margin", "Smoothing", "Threshold", "Logical operators",
           "Grow from seeds")
UNDO_STATES = 10


class FaceEditor:
    """Wraps the embedded qMRMLSegmentEditorWidget ``widget``."""

    def __init__(self):
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.widget.setMaximumNumberOfUndoStates(UNDO_STATES)
        self.widget.segmentationNodeSelectorVisible = False
        self.widget.sourceVolumeNodeSelectorVisible = False
        self.widget.switchToSegmentationsButtonVisible = False
        self.widget.setEffectNameOrder(list(EFFECTS))
        self.widget.unorderedEffectsVisible = False
        # The node before the scene: what the widget selects when it gets the scene is kept in the node.
        self._use_node()
        self.widget.setMRMLScene(slicer.mrmlScene)

    def edit(self, segmentation, volume):
        """Edit the face segment of ``segmentation`` over ``volume``; None for nothing to edit."""
        self._use_node()
        self.widget.setSegmentationNode(segmentation)
        if segmentation is not None:
            self.widget.setSourceVolumeNode(volume)
            self.widget.setCurrentSegmentID(face_segment.face_segment_id(segmentation) or "")

    def edits(self, segmentation):
        """Is one of the segments of ``segmentation`` chosen?"""
        chosen = self.widget.segmentationNode() is segmentation
        return chosen and segmentation.GetSegmentation().GetSegment(self.widget.currentSegmentID()) is not None

    def save_for_undo(self):
        """Let the next change be undone with the editor's Undo."""
        self.widget.saveStateForUndo()

    def enter(self):
        """The panel is shown: keys work."""
        self._use_node()
        self.widget.installKeyboardShortcuts()
        self.widget.updateWidgetFromMRML()

    def leave(self):
        """The panel is left: no effect stays active in the views."""
        self.widget.setActiveEffect(None)
        self.widget.uninstallKeyboardShortcuts()
        self.widget.removeViewObservations()

    def scene_closes(self):
        """Let go of nodes that are about to go."""
        self.widget.setSegmentationNode(None)
        self.widget.removeViewObservations()

    def close(self):
        """The panel is destroyed."""
        self.leave()
        self.widget.setSegmentationNode(None)
        # After a reload two editors would act on one node.
        self.widget.setMRMLSegmentEditorNode(None)
        self.widget.deleteLater()

    def _use_node(self):
        node = slicer.mrmlScene.GetSingletonNode(NODE_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(NODE_TAG)
            node = slicer.mrmlScene.AddNode(node)
        if self.widget.mrmlSegmentEditorNode() is not node:
            self.widget.setMRMLSegmentEditorNode(node)
