"""Nothing that the module makes or changes lets Slicer's own widgets complain in the console.

The listeners are those of Slicer's application, which the wheel lacks: the list of segments of Segment Editor, which takes
the first segmentation that is added and wants its display node, and the plug-in of the subject hierarchy, which wants an
item for every segmentation, also for a hidden one.
"""

import pytest
import vtk

from helpers.slicer_scene import add_volume


class Listeners:
    """``complaints`` that the application would print."""

    def __init__(self, slicer):
        self.slicer, self.complaints, self._tags = slicer, [], []
        self._watch(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAddedEvent, self._added)

    def _watch(self, thing, event, react):
        self._tags.append((thing, thing.AddObserver(event, react)))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _added(self, scene, event, node):
        if node.IsA("vtkMRMLSegmentationNode"):
            kinds = self.slicer.vtkSegmentation
            for happened in (kinds.SegmentAdded, kinds.SegmentModified, node.DisplayModifiedEvent):
                self._watch(node, happened, lambda *_, node=node: self._changed(node))

    def _changed(self, node):
        hierarchy = self.slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.slicer.mrmlScene)
        if not hierarchy.GetItemByDataNode(node):
            self.complaints.append("Unable to find subject hierarchy item for segmentation node " + node.GetName())
        if not node.GetHideFromEditors() and node.GetSegmentation().GetNumberOfSegments() and not node.GetDisplayNode():
            self.complaints.append("Invalid segmentation display node of " + node.GetName())

    def leave(self):
        for thing, tag in self._tags:
            thing.RemoveObserver(tag)


@pytest.fixture
def listeners(slicer):
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    listening = Listeners(slicer)
    yield listening
    listening.leave()


def test_a_mask_a_proposal_and_a_preview_come_and_go_in_silence(slicer, logic, listeners, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    head = add_volume(parts[0])
    mask = face_segment.new_face(head)
    face_segment.set_proposed_mask(mask, parts[1], head)
    logic.growMask(head, mask, 2.0)
    face_segment.set_proposed_mask(mask, logic.faceMask(head), head)
    for state in ("mask", "defaced"):
        logic.showPreview(head, state=state)
    logic.hidePreview()
    assert listeners.complaints == []


def test_the_proposal_has_a_place_in_the_hierarchy_and_goes_with_it(slicer, logic, listeners, parts):
    from CTADefaceLib.slicer_module.scene import face_segment

    head = add_volume(parts[0])
    mask = face_segment.new_face(head)
    face_segment.set_proposed_mask(mask, parts[1], head)
    proposal = mask.GetNodeReference(face_segment.PROPOSAL)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    # Slicer's tree leaves out nodes that are hidden from editors.
    assert hierarchy.GetItemByDataNode(proposal) and proposal.GetHideFromEditors()
    slicer.mrmlScene.RemoveNode(proposal)
    assert not hierarchy.GetItemByDataNode(proposal) and not listeners.complaints
