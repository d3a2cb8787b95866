"""The panel's life cycle in Slicer: scene, parameter node, entering and leaving. The sections hold what its parts do."""

import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from ..scene import face_segment, volumes
from ..shared_worker import stop_worker
from .checks_section import ChecksSection
from .deface_section import DefaceSection
from .export_section import ExportSection
from .keep_row import KeepRow
from .packages_section import PackagesSection
from .preview_section import PreviewSection
from .refine_section import RefineSection
from .review_section import ReviewSection
from .segment_section import SegmentSection
from .send_section import SendSection
from .steps_row import StepsRow


class FaceWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """``logicClass`` is the logic that the module defines; ``volume`` and ``segmentation`` are the nodes that are edited."""

    logicClass = None

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.form = self.ui = self.parameters = None
        self._gui_tag = self._watched = self._stamp = None
        self._sections = []

    # Life cycle, called by Slicer

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.form = slicer.util.loadUI(self.resourcePath("UI/CTADeface.ui"))
        self.layout.addWidget(self.form)
        self.ui = slicer.util.childWidgetVariables(self.form)
        self.form.setMRMLScene(slicer.mrmlScene)
        self.logic = self.logicClass()
        self.ui.copyLogButton.connect("clicked(bool)", self._copy_log)
        self.packages_section = PackagesSection(self)
        self.segment_section = SegmentSection(self)
        self.keep_row = KeepRow(self)
        self.deface_section = DefaceSection(self)
        self.refine_section = RefineSection(self)
        self.preview_section = PreviewSection(self)
        self.checks_section = ChecksSection(self)
        self.export_section = ExportSection(self)
        self.send_section = SendSection(self)
        self.review_section = ReviewSection(self)
        self.steps_row = StepsRow(self)
        self._sections = [
            self.segment_section,
            self.keep_row,
            self.deface_section,
            self.refine_section,
            self.preview_section,
            self.checks_section,
            self.export_section,
            self.send_section,
            self.review_section,
            # Last: it tells what the others say of the case.
            self.steps_row,
        ]
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndClose)
        # Added after the editor's own observer, which lets go of a segmentation that came with a scene.
        self.addObserver(scene, scene.EndBatchProcessEvent, self._on_batch_end)
        self.addObserver(scene, scene.NodeAddedEvent, self._on_node_added)
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_nodes)
        self.initializeParameterNode()

    def cleanup(self):
        if self._sections:
            self.preview_section.leave()
            self.preview_section.close()
            self.review_section.leave()
            self.review_section.close()
            self.segment_section.close()
            self.keep_row.close()
            self.steps_row.close()
            self.setParameterNode(None)
            self.refine_section.close()
        self.removeObservers()
        stop_worker()

    def enter(self):
        if self._sections:
            self.refine_section.editor.enter()
            self.preview_section.enter()
            self.review_section.enter()
            self.packages_section.look()
            self.initializeParameterNode()
            self.update()
            self.refine_section.keep(self._watched, self.volume)

    def exit(self):
        if self._sections:
            self.preview_section.leave()
            self.review_section.leave()
            self.refine_section.editor.leave()

    def onReload(self):
        """Reload the library too, not only the module file."""
        import sys

        for name in [n for n in sys.modules if n.split(".")[0] == "CTADefaceLib"]:
            # The module file imports them again; what this panel still holds goes with it.
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller=None, event=None):
        self.segment_section.cancel()
        self.logic.preview.forget()
        self.review_section.scene_closes()
        self.export_section.scene_closes()
        self.steps_row.scene_closes()
        self.refine_section.editor.scene_closes()
        volumes.forget_survey()
        self._watch(None)
        self.setParameterNode(None)

    def onSceneEndClose(self, caller=None, event=None):
        if self.parent.isEntered:
            self.initializeParameterNode()
            self._hide_other_preview()

    def onSceneStartImport(self, caller=None, event=None):
        # The import overwrites the scene's parameter node before its volume is there: the panel must neither show that
        # nor write it back.
        self.setParameterNode(None)

    def initializeParameterNode(self):
        """Show the scene's parameter node, and preselect a loaded CT."""
        parameters = self.logic.getParameterNode()
        # Slicer 5.10 never releases a wrapper that was connected.
        if not self.parameters or self.parameters.parameterNode is not parameters.parameterNode:
            self.setParameterNode(parameters)
        self._preselect()

    def _preselect(self):
        if self.parameters.inputVolume is None:
            self.parameters.inputVolume = _first_volume()

    def setParameterNode(self, parameters):
        """Show and watch ``parameters``; None: watch nothing."""
        if self.parameters:
            self.parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self.parameters = parameters
        if parameters:
            self._gui_tag = parameters.connectGui(self.ui)
            # The node itself, not its wrapper: Slicer keeps what was once observed, and each entering makes a new wrapper.
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self.update()

    # For the sections

    @property
    def volume(self):
        return self.parameters.inputVolume if self.parameters else None

    @property
    def segmentation(self):
        """The face mask of the chosen volume, or None."""
        return face_segment.find_face(self.volume) if self.volume is not None else None

    def update(self):
        """Bring every part up to date with what is chosen."""
        if self._sections:
            self._watch(self.segmentation)
            for section in self._sections:
                section.update()

    def mask_changed(self):
        """The mask was made or edited by this panel."""
        self._watch(self.segmentation)
        self.preview_section.mask_changed()
        self.checks_section.mask_changed()
        self.refine_section.keep(self._watched, self.volume)
        self.update()

    def log(self, text):
        """One entry of the log section."""
        self.ui.logText.appendPlainText(text.rstrip())

    # Events

    def _on_parameters(self, caller=None, event=None):
        self._hide_other_preview()
        self.update()

    def _hide_other_preview(self):
        preview = self.logic.preview
        if preview.state is not None and preview.volume is not self.volume:
            self.logic.hidePreview()

    def _on_nodes(self, caller=None, event=None):
        if not slicer.mrmlScene.IsBatchProcessing() and self.parameters and self.parent.isEntered:
            self.update()

    def _on_node_added(self, caller=None, event=None):
        if not slicer.mrmlScene.IsBatchProcessing() and self.parameters and self.parent.isEntered:
            self._preselect()
            self.update()

    def _watch(self, segmentation):
        """Follow edits of ``segmentation``, and offer it in the editor."""
        if segmentation is self._watched:
            return
        self.checks_section.forget()
        kinds = slicer.vtkSegmentation
        # Undo and Redo report only that the segment was modified, as a new colour does too.
        events = (
            (kinds.SourceRepresentationModified, self._on_edit),
            (kinds.SegmentModified, self._on_segment),
            (kinds.SegmentAdded, self._on_segment),
            (kinds.SegmentRemoved, self._on_segment),
        )
        for event, react in events:
            if self._watched is not None:
                self.removeObserver(self._watched.GetSegmentation(), event, react)
            if segmentation is not None:
                self.addObserver(segmentation.GetSegmentation(), event, react)
        # applyFill in the Python console makes a defaced volume too.
        if self._watched is not None:
            self.removeObserver(self._watched, self._watched.ReferenceAddedEvent, self._on_nodes)
        if segmentation is not None:
            self.addObserver(segmentation, segmentation.ReferenceAddedEvent, self._on_nodes)
        self._watched = segmentation
        self._stamp = face_segment.mask_stamp(segmentation) if segmentation is not None else None
        self.refine_section.edit(segmentation, self.volume)

    def _on_edit(self, caller=None, event=None):
        self._stamp = face_segment.mask_stamp(self._watched)
        self.preview_section.mask_changed()
        self.checks_section.mask_changed()
        if self.refine_section.editor.widget.activeEffect() is not None:
            self.steps_row.looked()
        self.steps_row.update_soon()

    def _on_segment(self, caller=None, event=None):
        self.refine_section.editor.show_list(self._watched)
        if face_segment.mask_stamp(self._watched) != self._stamp:
            self._on_edit()

    def _on_batch_end(self, caller=None, event=None):
        if self.parameters and self.parent.isEntered:
            self._preselect()
            self.update()
            self.refine_section.keep(self._watched, self.volume)

    def _copy_log(self, *_checked):
        slicer.app.clipboard().setText(self.ui.logText.plainText)


def _first_volume():
    """The scalar volume in the slice views, else the first that is not a labelmap, else None."""
    shown = [c.GetBackgroundVolumeID() for c in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]
    nodes = [slicer.mrmlScene.GetNodeByID(i) for i in shown if i]
    nodes += slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    suitable = [
        n for n in nodes if n is not None and n.GetClassName() == "vtkMRMLScalarVolumeNode" and not n.GetHideFromEditors()
    ]
    return suitable[0] if suitable else None
