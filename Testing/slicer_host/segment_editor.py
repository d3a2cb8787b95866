"""Stand-in for the Segment Editor: the real logic (nodes, undo), recorded calls, no painting."""

import sys
import types

import slicer
from PySide6 import QtCore, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import ui_loader
from .mrml_widgets import qMRMLWidget
from .properties import qt_property

EFFECTS = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)


class Effect:
    """One effect of the editor: a name and parameters, which are kept in the editor's node."""

    def __init__(self, name, editor):
        self.name = name
        self._editor = editor

    def parameter(self, name):
        """The effect's own parameter as text, empty if unset."""
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self.name}.{name}") or ""

    def setParameter(self, name, value):
        """Set the effect's own parameter."""
        self._editor.mrmlSegmentEditorNode().SetAttribute(f"{self.name}.{name}", str(value))

    def commonParameter(self, name):
        """A parameter shared by all effects as text, empty if unset."""
        return self._editor.mrmlSegmentEditorNode().GetAttribute(name) or ""

    def setCommonParameter(self, name, value):
        """Set a parameter shared by all effects."""
        self._editor.mrmlSegmentEditorNode().SetAttribute(name, str(value))


class ThresholdEffect(Effect):
    """The effect that looks at every voxel of a new volume; written in Python, as in Slicer: ``self()`` is that part."""

    def __init__(self, name, editor):
        super().__init__(name, editor)
        self._scripted = ThresholdScript(self)

    def self(self):
        """The Python part."""
        return self._scripted

    def sourceVolumeImageData(self):
        """The voxels of the editor's volume, or None."""
        volume = self._editor.sourceVolumeNode()
        return volume.GetImageData() if volume is not None else None


class ThresholdScript:
    """Python part of ``ThresholdEffect``; ``ranges`` those that it has found."""

    def __init__(self, scriptedEffect):
        self.scriptedEffect = scriptedEffect
        self.ranges = []

    def activate(self):
        """The effect is chosen."""
        self.sourceVolumeNodeChanged()

    def sourceVolumeNodeChanged(self):
        """The editor has another volume."""
        image = self.scriptedEffect.sourceVolumeImageData()
        if image:
            self.ranges.append(image.GetScalarRange())


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor's programming interface; what is called is recorded in ``_calls``."""

    stands_for_cpp = True
    _calls = ()
    _logic = None
    _shown = (None, None, "")
    _effects = ()
    _active = None
    _order = ()
    _unordered = True
    _buttons = None
    _undo_enabled = True
    _undo_states = 10
    _columns = 2
    _read_only = False
    _style = QtCore.Qt.ToolButtonTextUnderIcon
    _shortcuts = _observing = _volume_only = False
    _segmentation_selector = _source_selector = _masking = _geometry = _show3d = True
    _add_remove = _switch = _auto_show = _jump = True
    _terminology = _terminology_key = ""

    currentSegmentIDChanged = QtCore.Signal(str)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    segmentationNodeChanged = QtCore.Signal(object)

    segmentationNodeSelectorVisible = qt_property(bool, "_segmentation_selector")
    sourceVolumeNodeSelectorVisible = qt_property(bool, "_source_selector")
    maskingSectionVisible = qt_property(bool, "_masking")
    specifyGeometryButtonVisible = qt_property(bool, "_geometry")
    show3DButtonVisible = qt_property(bool, "_show3d")
    addRemoveSegmentButtonsVisible = qt_property(bool, "_add_remove")
    autoShowSourceVolumeNode = qt_property(bool, "_auto_show")
    switchToSegmentationsButtonVisible = qt_property(bool, "_switch")
    undoEnabled = qt_property(bool, "_undo_enabled")
    maximumNumberOfUndoStates = qt_property(int, "_undo_states", "_limit_history")
    readOnly = qt_property(bool, "_read_only")
    effectColumnCount = qt_property(int, "_columns")
    unorderedEffectsVisible = qt_property(bool, "_unordered", "updateEffectList")
    jumpToSelectedSegmentEnabled = qt_property(bool, "_jump")
    defaultTerminologyEntry = qt_property(str, "_terminology")
    defaultTerminologyEntrySettingsKey = qt_property(str, "_terminology_key")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._calls = []
        self._effects = {name: (ThresholdEffect if name == "Threshold" else Effect)(name, self) for name in EFFECTS}
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._limit_history()
        self._build()
        self.updateEffectList()

    def _build(self):
        """Parts that lie where, and are called as, those of Slicer's form: effects to the left, list and options beside."""
        grid = QtWidgets.QGridLayout(self)
        beside = QtWidgets.QHBoxLayout()
        beside.objectName = "horizontalLayout"
        grid.addLayout(beside, 0, 0)
        left, right = QtWidgets.QVBoxLayout(), QtWidgets.QVBoxLayout()
        left.objectName, right.objectName = "verticalLayout_3", "verticalLayout"
        for column in (left, right):
            beside.addLayout(column)
        self._buttons = QtWidgets.QGridLayout()
        left.addLayout(self._buttons)
        segments, options = QtWidgets.QFrame(self), QtWidgets.QGroupBox(self)
        for part, name in ((segments, "SegmentsTableResizableFrame"), (options, "OptionsGroupBox")):
            part.objectName = name
            right.addWidget(part)
        inside = QtWidgets.QVBoxLayout(options)
        for part, name in (
            (QtWidgets.QLabel(options), "EffectHelpBrowser"),
            (QtWidgets.QFrame(options), "EffectsOptionsFrame"),
        ):
            part.objectName = name
            inside.addWidget(part)

    def _record(self, name, *arguments):
        self._calls.append((name, *arguments))

    def setMRMLScene(self, scene):
        """Set the scene."""
        self._record("setMRMLScene", scene)
        self._logic.SetMRMLScene(scene)
        super().setMRMLScene(scene)

    def setMRMLSegmentEditorNode(self, node):
        """Set the node that keeps the editor's state."""
        self._record("setMRMLSegmentEditorNode", node)
        self._logic.SetSegmentEditorNode(node)
        self._tell()

    def mrmlSegmentEditorNode(self):
        """The node that keeps the editor's state."""
        return self._logic.GetSegmentEditorNode()

    def updateWidgetFromMRML(self):
        """Take over the state of the node."""
        self._record("updateWidgetFromMRML")
        self._tell()

    def _tell(self):
        """Emit the signals of what changed since the last time."""
        before = self._shown
        self._shown = now = (self.segmentationNode(), self.sourceVolumeNode(), self.currentSegmentID())
        signals = (self.segmentationNodeChanged, self.sourceVolumeNodeChanged, self.currentSegmentIDChanged)
        for old, new, signal in zip(before, now, signals):
            if old != new:
                signal.emit(new)
        if before[1] != now[1]:
            self._effects["Threshold"].self().sourceVolumeNodeChanged()

    def segmentationNode(self):
        """The segmentation being edited, or None."""
        return self._logic.GetSegmentationNode()

    def segmentationNodeID(self):
        """Its ID, or an empty string."""
        node = self.segmentationNode()
        return node.GetID() if node else ""

    def setSegmentationNode(self, node):
        """Edit a segmentation (the editor's node must be set before) and put the effect away."""
        self._record("setSegmentationNode", node)
        if node is self.segmentationNode():
            return
        self._logic.SetSegmentationNode(node)
        self.setActiveEffect(None)
        if node is not None:
            role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
            self._logic.SetSourceVolumeNode(node.GetNodeReference(role))
        if not self.currentSegmentID():
            segments = node.GetSegmentation().GetSegmentIDs() if node else ()
            self._logic.SetCurrentSegmentID(segments[0] if segments else "")
        self._tell()

    def setSegmentationNodeID(self, node_id):
        """Edit a segmentation given by its ID."""
        self.setSegmentationNode(self._scene.GetNodeByID(node_id))

    def sourceVolumeNode(self):
        """The volume behind the segmentation, or None."""
        return self._logic.GetSourceVolumeNode()

    def sourceVolumeNodeID(self):
        """Its ID, or an empty string."""
        node = self.sourceVolumeNode()
        return node.GetID() if node else ""

    def setSourceVolumeNode(self, node):
        """Set the volume."""
        self._record("setSourceVolumeNode", node)
        self._logic.SetSourceVolumeNode(node)
        self._tell()

    def setSourceVolumeNodeID(self, node_id):
        """Set the volume by its ID."""
        self.setSourceVolumeNode(self._scene.GetNodeByID(node_id))

    def currentSegmentID(self):
        """ID of the segment being edited."""
        return self._logic.GetCurrentSegmentID() or ""

    def setCurrentSegmentID(self, segment_id):
        """Choose the segment to edit."""
        self._record("setCurrentSegmentID", segment_id)
        self._logic.SetCurrentSegmentID(segment_id)
        self._tell()

    def activeEffect(self):
        """The effect in use, or None."""
        return self._active

    def setActiveEffect(self, effect):
        """Use an effect; None puts it away."""
        self._record("setActiveEffect", effect.name if effect else None)
        if effect is not None and not isinstance(effect, Effect):
            raise TypeError("setActiveEffect() takes an effect or None")
        self._active = effect
        node = self.mrmlSegmentEditorNode()
        if node:
            node.SetActiveEffectName(effect.name if effect else "")
        if isinstance(effect, ThresholdEffect):
            effect.self().activate()

    def setActiveEffectByName(self, name):
        """Use the effect of that name; an unknown or empty name puts the current one away."""
        self.setActiveEffect(self._effects.get(name))

    def effectByName(self, name):
        """An effect, or None."""
        return self._effects.get(name)

    def availableEffectNames(self):
        """Names of all effects."""
        return list(self._effects)

    def effectCount(self):
        """How many effects there are."""
        return len(self._effects)

    def effectByIndex(self, index):
        """An effect by its position."""
        return list(self._effects.values())[index]

    def setEffectNameOrder(self, names):
        """Which effects come first, in this order."""
        self._record("setEffectNameOrder", tuple(names))
        self._order = list(names)
        self.updateEffectList()

    def effectNameOrder(self):
        """The order set before."""
        return list(self._order)

    def updateEffectList(self):
        """Lay out one button for each effect that is offered."""
        while self._buttons.count():
            old = self._buttons.takeAt(0).widget()
            old.visible = False
            old.deleteLater()
        rest = [name for name in self._effects if name not in self._order] if self._unordered else []
        for position, name in enumerate([*self._order, *rest]):
            button = QtWidgets.QToolButton(self)
            button.text = name
            button.clicked.connect(lambda *_, name=name: self.setActiveEffectByName(name))
            self._buttons.addWidget(button, position // 4, position % 4)

    def _limit_history(self):
        self._logic.SetMaximumNumberOfUndoStates(self._undo_states)

    def saveStateForUndo(self):
        """Remember the segments so that ``undo`` can bring them back."""
        self._record("saveStateForUndo")
        if self._undo_enabled:
            self._logic.SaveStateForUndo()

    def undo(self):
        """Bring back the segments saved last."""
        self._record("undo")
        self._logic.Undo()

    def redo(self):
        """Take back an undo."""
        self._record("redo")
        self._logic.Redo()

    def installKeyboardShortcuts(self, parent=None):
        """The shortcuts themselves are not made."""
        self._record("installKeyboardShortcuts")
        self._shortcuts = True

    def uninstallKeyboardShortcuts(self):
        """See above."""
        self._record("uninstallKeyboardShortcuts")
        self._shortcuts = False

    def setupViewObservations(self):
        """There are no views to observe."""
        self._record("setupViewObservations")
        self._observing = True

    def removeViewObservations(self):
        """See above."""
        self._record("removeViewObservations")
        self._observing = False

    def setEffectButtonStyle(self, style):
        """How the effects' buttons look; has no influence here."""
        self._style = style

    effectButtonStyle = QtCore.Property(object, lambda self: self._style, setEffectButtonStyle)


def _recorded_only(name):
    """A method of the real editor that changes only views: here it is written down."""

    def call(self, *arguments):
        self._record(name, *arguments)

    return call


for _name in (
    "showSourceVolumeInSliceViewers",
    "rotateSliceViewsToSegmentation",
    "jumpSlices",
    "hideLabelLayer",
    "selectNextSegment",
    "selectPreviousSegment",
):
    setattr(qMRMLSegmentEditorWidget, _name, _recorded_only(_name))


def install():
    """Put the editor where modules look for it."""
    slicer.qMRMLSegmentEditorWidget = qMRMLSegmentEditorWidget
    ui_loader.WIDGETS["qMRMLSegmentEditorWidget"] = qMRMLSegmentEditorWidget
    module = types.ModuleType("qSlicerSegmentationsModuleWidgetsPythonQt")
    module.qMRMLSegmentEditorWidget = qMRMLSegmentEditorWidget
    sys.modules[module.__name__] = module
