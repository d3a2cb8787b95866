"""The Slicer stand-in itself: does code written for PythonQt and MRML run on it, and does it catch mistakes?"""

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("PySide6", reason="Qt is not installed")

import numpy as np

MODULE = """
import enum
from typing import Annotated, Optional

import qt
import slicer
import vtk
from slicer import app, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _, translate
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


@parameterNodeWrapper
class ToyParameterNode:
    volume: vtkMRMLScalarVolumeNode
    preview: bool = True
    margin: Annotated[float, WithinRange(0, 10)] = 2.5
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    mode: Mode = Mode.SLOW
    label: str = ""


class Toy(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Toy")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Examples")]
        app.connect("startupCompleted()", started)


def started():
    slicer.toyStarted = True


class ToyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return ToyParameterNode(super().getParameterNode())


class ToyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.log = []

    def setup(self):
        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Toy.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ToyLogic()
        self.parameters = self.logic.getParameterNode()
        self.tag = self.parameters.connectGui(self.ui)
        self.addObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)

    def onModified(self, caller, event):
        self.ui.applyButton.enabled = self.parameters.volume is not None

    def onClose(self, caller, event):
        self.log.append("close")

    def onApply(self, checked=False):
        self.log.append("apply")
        self.ui.statusLabel.text = _("Running")

    def enter(self):
        self.log.append("enter")

    def exit(self):
        self.log.append("exit")

    def cleanup(self):
        self.parameters.disconnectGui(self.tag)
        self.removeObservers()
        self.log.append("cleanup")
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Toy</class>
 <widget class="qMRMLWidget" name="Toy">
  <layout class="QVBoxLayout" name="rows">
   <item><widget class="ctkCollapsibleButton" name="section">
     <property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="1"><widget class="qMRMLNodeComboBox" name="volumeSelector">
        <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
        <property name="noneEnabled"><bool>true</bool></property>
        <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
      </widget></item>
      <item row="1" column="1"><widget class="QCheckBox" name="previewBox">
        <property name="SlicerParameterName" stdset="0"><string>preview</string></property>
      </widget></item>
      <item row="2" column="1"><widget class="QDoubleSpinBox" name="marginBox">
        <property name="SlicerParameterName" stdset="0"><string>margin</string></property>
      </widget></item>
      <item row="3" column="1"><widget class="QComboBox" name="deviceBox">
        <property name="SlicerParameterName" stdset="0"><string>device</string></property>
      </widget></item>
     </layout>
   </widget></item>
   <item><widget class="QPushButton" name="applyButton">
     <property name="enabled"><bool>false</bool></property>
     <property name="text"><string>Apply</string></property>
   </widget></item>
   <item><widget class="QLabel" name="statusLabel"/></item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Toy</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
 </connections>
</ui>
"""


@pytest.fixture
def toy(host, tmp_path):
    """A small scripted module written as Slicer's documentation teaches it."""
    (tmp_path / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "Resources" / "UI" / "Toy.ui").write_text(UI, encoding="utf-8")
    (tmp_path / "Toy.py").write_text(MODULE, encoding="utf-8")
    return host.load_module(tmp_path / "Toy.py")


@pytest.fixture
def widget(host, toy):
    """The module's open panel."""
    widget = host.open_widget(toy)
    yield widget
    if widget.parent.isEntered:
        host.close(widget)


def volume(name="head"):
    """A small volume in the scene."""
    import slicer

    return slicer.util.addVolumeFromArray(np.zeros((6, 7, 8), np.int16), name=name)


def test_module_is_described_and_told_of_startup(host, toy):
    """Title, path and the start signal, as Slicer's module finder has them."""
    import slicer

    host.startup()
    assert slicer.toyStarted and toy.title == "Toy" and toy.categories == ["Examples"]
    assert slicer.util.modulePath("Toy") == toy.path


def test_module_life_cycle(host, widget):
    """enter, exit, scene close and cleanup reach the module's own methods, each once."""
    import slicer

    host.leave(widget)
    host.enter(widget)
    slicer.mrmlScene.Clear(0)
    host.close(widget)
    assert widget.log == ["enter", "exit", "enter", "close", "exit", "cleanup"]


def test_ui_file_is_loaded_with_scene_and_properties(host, widget):
    """The scene reaches the connected selector; dynamic properties survive."""
    import slicer

    assert widget.ui.volumeSelector.mrmlScene() is slicer.mrmlScene
    assert widget.ui.volumeSelector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    assert widget.ui.previewBox.property("SlicerParameterName") == "preview"
    with pytest.raises(AttributeError):
        widget.ui.volumeSelector.nodeType = "vtkMRMLNode"


def test_gui_and_parameters_follow_each_other(host, widget):
    """In both directions, until disconnected."""
    head = volume()
    widget.ui.volumeSelector.setCurrentNode(head)
    widget.ui.marginBox.value = 4.5
    assert widget.parameters.volume is head and widget.parameters.margin == 4.5
    assert widget.ui.applyButton.enabled
    widget.parameters.device = "cpu"
    widget.parameters.preview = False
    assert widget.ui.deviceBox.currentText == "cpu" and widget.ui.previewBox.checked is False
    widget.ui.applyButton.click()
    assert widget.log[-1] == "apply" and widget.ui.statusLabel.text == "Running"


def test_parameters_are_checked_and_survive_saving(host, toy, tmp_path):
    """Values live in the scene's node as text and references."""
    import slicer
    import Toy

    parameters = Toy.ToyLogic().getParameterNode()
    for name, value in (("margin", 11.0), ("device", "gpu"), ("preview", 1), ("marign", 1.0)):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            setattr(parameters, name, value)
    parameters.mode, parameters.label = Toy.Mode.FAST, "a b"
    path = str(tmp_path / "scene.mrml")
    slicer.util.saveScene(path)
    host.clear_scene()
    slicer.util.loadScene(path)
    again = Toy.ToyLogic().getParameterNode()
    assert (again.mode, again.label, again.margin) == (Toy.Mode.FAST, "a b", 2.5)
    assert again.parameterNode.GetAttribute("ModuleName") == "Toy"


def test_node_selector_follows_the_scene(host):
    """Without 'None' the first node is chosen; a removed node is let go."""
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    changes = []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = volume("first"), volume("second")
    assert selector.currentNode() is first and selector.nodeCount() == 2
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNodeID == second.GetID()
    slicer.mrmlScene.RemoveNode(second)
    assert [node and node.GetName() for node in changes] == ["first", "second", None]


def test_segment_editor_has_real_undo_and_no_invented_methods(host):
    """The nodes, the segment and the undo history are those of Slicer's own logic."""
    import slicer
    from qSlicerSegmentationsModuleWidgetsPythonQt import qMRMLSegmentEditorWidget

    head, segmentation = volume(), slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(head)
    segment = segmentation.GetSegmentation().AddEmptySegment("face")
    mask = np.zeros((6, 7, 8), np.uint8)
    mask[2:4, 2:5, 3:6] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, head)
    editor = qMRMLSegmentEditorWidget()
    editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setMRMLScene(slicer.mrmlScene)
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(head)
    editor.setActiveEffectByName("Paint")
    assert editor.currentSegmentID() == segment and editor.activeEffect().name == "Paint"
    editor.saveStateForUndo()
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask * 0, segmentation, segment, head)
    editor.undo()
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, head), mask)
    editor.setActiveEffect(None)
    assert host.segment_editor_calls(editor)[-1] == ("setActiveEffect", None)
    with pytest.raises(AttributeError):
        editor.setSourceVolume(head)


def test_layouts_decide_which_views_exist(host):
    """The real layout logic: four-up shows one 3D view; a single slice, or a maximized one, keeps it but does not show it."""
    import slicer

    manager = slicer.app.layoutManager()
    manager.setLayout(3)
    # Views of layouts that other tests have opened stay.
    for node in slicer.util.getNodesByClass("vtkMRMLViewNode")[1:]:
        slicer.mrmlScene.RemoveNode(node)
    assert manager.threeDViewCount == 1 and manager.sliceViewNames() == ["Red", "Green", "Yellow"]
    assert manager.threeDWidget(0).threeDView().cameraNode().IsA("vtkMRMLCameraNode")
    head = volume()
    slicer.util.setSliceViewerLayers(background=head, fit=True)
    assert manager.sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID() == head.GetID()
    view = manager.threeDWidget(0).mrmlViewNode()
    assert view.IsViewVisibleInLayout()
    manager.setLayout(6)
    assert manager.threeDViewCount == 1 and not view.IsViewVisibleInLayout() and manager.threeDWidget(1) is None
    manager.setLayout(3)
    layout = manager.layoutLogic().GetLayoutNode()
    layout.AddMaximizedViewNode(manager.sliceWidget("Red").mrmlSliceNode())
    assert not view.IsViewVisibleInLayout()
    layout.RemoveAllMaximizedViewNodes()
    assert view.IsViewVisibleInLayout()


def test_volume_rendering_and_subject_hierarchy(host):
    """The preset that shows skin, on a real display node; the folder tree exists."""
    import slicer

    logic = slicer.modules.volumerendering.logic()
    display = logic.CreateDefaultVolumeRenderingNodes(volume())
    display.GetVolumePropertyNode().Copy(logic.GetPresetByName("CT-Muscle"))
    assert display.GetVolumePropertyNode().GetScalarOpacity().GetValue(-155.407) == 0
    assert slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene) is not None


def test_packages_are_checked_for_real_but_never_installed(host, tmp_path):
    """An installation is only recorded, and can be refused."""
    import slicer

    path = tmp_path / "requirements.txt"
    path.write_text("# what is needed\nnumpy>=1\n\nno-such-package-here>=3  # why\n", encoding="utf-8")
    needs = slicer.packaging.load_requirements(path)
    assert slicer.packaging.pip_check(needs[0]) and not slicer.packaging.pip_check(needs)
    host.answers.append(False)
    with pytest.raises(RuntimeError):
        slicer.packaging.pip_ensure(needs, requester="Toy")
    slicer.packaging.pip_ensure(needs, requester="Toy")
    assert [call[0] for call in host.packaging_calls] == ["pip_ensure", "pip_ensure", "pip_install"]


def test_reload_and_picture(host, widget, tmp_path):
    """Slicer's own reload works on the panel, and the panel can be photographed."""
    again = host.reload(widget)
    assert again is not widget and again.parent is widget.parent and widget.log[-1] == "cleanup"
    picture = host.grab(again, tmp_path / "panel.png", size=(400, 500))
    assert picture.stat().st_size > 1000


def test_collapsed_sections_hide_their_contents(host, widget):
    """Also when shown afterwards."""
    widget.parent.show()
    widget.ui.section.collapsed = True
    assert not widget.ui.previewBox.visible
    widget.ui.section.collapsed = False
    assert widget.ui.previewBox.visible


def test_quit_is_announced(host):
    """Modules that end processes when Slicer quits hear of it."""
    import slicer

    got = []
    slicer.app.connect("aboutToQuit()", lambda: got.append("bye"))
    host.quit()
    assert got == ["bye"]
