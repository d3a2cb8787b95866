"""``slicer.modules`` with the real logics of slicer-core, and the one volume rendering preset that is needed."""

import tempfile
import types
from pathlib import Path

import slicer
import vtk

_LOGICS = {
    "colors": ("Colors", "vtkSlicerColorLogic"),
    "volumes": ("Volumes", "vtkSlicerVolumesLogic"),
    "segmentations": ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    "volumerendering": ("VolumeRendering", "vtkSlicerVolumeRenderingLogic"),
    "cameras": ("Cameras", "vtkSlicerCamerasModuleLogic"),
    "subjecthierarchy": ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    "terminologies": ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    "models": ("Models", "vtkSlicerModelsLogic"),
    "transforms": ("Transforms", "vtkSlicerTransformLogic"),
    "markups": ("Markups", "vtkSlicerMarkupsLogic"),
    "cropvolume": ("CropVolume", "vtkSlicerCropVolumeLogic"),
}
# Intensity (HU), opacity and colour of the preset, as shipped with Slicer.
_CT_MUSCLE = (
    (-3024, 0, (0, 0, 0)),
    (-155.407, 0, (0.54902, 0.25098, 0.14902)),
    (217.641, 0.676471, (0.882353, 0.603922, 0.290196)),
    (419.736, 0.833333, (1, 0.937033, 0.954531)),
    (3071, 0.803922, (0.827451, 0.658824, 1)),
)


class CoreModule:
    """A module that exists in C++ in Slicer: a name and a logic."""

    def __init__(self, name, logic):
        self.name = self.title = name
        self.path = ""
        self._logic = logic

    def logic(self):
        """The real logic."""
        return self._logic

    def widgetRepresentation(self):
        """These modules have no panel here."""
        return None


def install(application_logic):
    """Create ``slicer.modules``."""
    slicer.modules = types.SimpleNamespace()
    for key, (name, class_name) in _LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(application_logic)
        if key == "volumerendering":
            _prepare_presets(logic)
        _set_scene(logic)
        application_logic.SetModuleLogic(name, logic)
        if key == "colors":
            application_logic.SetColorLogic(logic)
        setattr(slicer.modules, key, CoreModule(name, logic))
    slicer.modules.volumerendering.logic().AddPreset(_ct_muscle())


def _set_scene(logic):
    """Give a logic its scene, without complaints about colour and terminology files that the wheel lacks."""
    shown = logic.GetGlobalWarningDisplay()
    logic.GlobalWarningDisplayOff()
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetGlobalWarningDisplay(shown)


def _prepare_presets(logic):
    """Slicer reads its presets from a folder; an empty one keeps it from complaining about a missing file."""
    folder = Path(tempfile.mkdtemp(prefix="slicer-host-share-"))
    (folder / "presets.xml").write_text('<MRML version="Slicer4.4.0"></MRML>', encoding="utf-8")
    logic.SetModuleShareDirectory(str(folder))


def _ct_muscle():
    """The preset 'CT-Muscle' as a node."""
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for intensity, alpha, rgb in _CT_MUSCLE:
        opacity.AddPoint(intensity, alpha)
        colour.AddRGBPoint(intensity, *rgb)
    node = slicer.vtkMRMLVolumePropertyNode()
    node.SetName("CT-Muscle")
    node.SetScalarOpacity(opacity, 0)
    node.SetColor(colour, 0)
    look = node.GetVolumeProperty()
    look.ShadeOn()
    look.SetAmbient(0.1)
    look.SetDiffuse(0.9)
    look.SetSpecular(0.2)
    look.SetSpecularPower(10)
    look.SetInterpolationTypeToLinear()
    return node
