"""What will leave the hospital: the CT-Muscle rendering of the original, the mask, or the defaced volume.

Everything shown is a node of its own, hidden and not saved with the scene; what the user had on the screen is noted
first and brought back by ``hide``.
"""

import slicer

from . import volumes
from .application import add_hidden
from .users_view import UsersView

PRESET = "CT-Muscle"
STATES = ("original", "mask", "defaced")


class Preview:
    """One preview at a time, in the first 3D view. ``state`` is None while hidden."""

    def __init__(self):
        self.state = None
        self.volume = None
        self._users_view = self._focus = self._with_surface = None
        self._nodes = {}

    def show(self, volume, segmentation, state, defaced=None):
        """Show a volume node: ``state`` 'original', 'mask' (with ``segmentation``) or 'defaced'.

        ``defaced``: voxels (k, j, i) of the defaced volume, needed for that state. Raises: ValueError for any other
        state, RuntimeError when the application has no 3D view.
        """
        if state not in STATES:
            raise ValueError(f"{state}: unknown preview; choose {', '.join(STATES)}.")
        if self.state is not None and self.volume is not volume:
            self.hide()
        first = self.state is None
        if first:
            self._users_view = UsersView()
            self.volume = volume
        self.state = state
        if defaced is not None:
            self._set_defaced(defaced)
        self._rendering("original", volume).SetVisibility(state != "defaced")
        if self._made("defaced") is not None:
            self._rendering("defaced", self._made("defaced")).SetVisibility(state == "defaced")
        self._show_mask(segmentation, state == "mask")
        if first:
            self.look("front")

    def look(self, name):
        """Turn the camera: 'front' or 'oblique', the patient upright and the head filling the view."""
        from ...rendering.camera import FRONTAL, OBLIQUE, aim_camera, tissue_focus

        if self._focus is None:
            self._focus = tissue_focus(slicer.util.arrayFromVolume(self.volume), volumes.grid_to_patient(self.volume))
        camera = self._users_view.camera
        with slicer.util.NodeModify(camera):
            aim_camera(camera, {"front": FRONTAL, "oblique": OBLIQUE}[name], self._focus)
        camera.ResetClippingRange()

    def hide(self):
        """Remove everything that the preview has made and restore the user's view."""
        if self.state is None:
            return
        self.state = self.volume = self._focus = None
        self._remove_surface()
        for key in list(self._nodes):
            self._remove(key)
        self._users_view.restore()
        self._users_view = None

    def forget(self):
        """The scene is being closed: of what was on the screen only the layout outlasts it."""
        if self._users_view is not None:
            self._users_view.restore_layout()
        self.state = self.volume = self._users_view = self._focus = self._with_surface = None
        self._nodes = {}

    def _show_mask(self, segmentation, shown):
        display = segmentation.GetDisplayNode() if segmentation is not None else None
        if display is not None:
            display.SetVisibility3D(shown)
        if not shown:
            self._remove_surface()
        elif display is not None:
            display.SetVisibility(True)
            if not segmentation.GetSegmentation().ContainsRepresentation(_surface_name()):
                segmentation.CreateClosedSurfaceRepresentation()
                self._with_surface = segmentation

    def _remove_surface(self):
        """Every edit would make it anew; one that was there before the preview stays."""
        if self._with_surface is not None and slicer.mrmlScene.IsNodePresent(self._with_surface):
            self._with_surface.RemoveClosedSurfaceRepresentation()
        self._with_surface = None

    def _set_defaced(self, array):
        node = self._made("defaced")
        if node is None:
            # That of a volume which was removed shows nothing.
            self._remove("defaced rendering")
            node = self._nodes["defaced"] = add_hidden("vtkMRMLScalarVolumeNode", "CTADeface preview", saved=False)
        volumes.update_defaced_node(node, self.volume, array)

    def _made(self, key):
        """A node that this preview has made and that nobody has removed from the scene, or None."""
        node = self._nodes.get(key)
        return node if node is not None and slicer.mrmlScene.IsNodePresent(node) else None

    def _remove(self, key):
        if self._made(key) is not None:
            slicer.mrmlScene.RemoveNode(self._nodes[key])
        self._nodes.pop(key, None)

    def _rendering(self, name, volume):
        """The CT-Muscle rendering of a volume in our view, made when first needed beside any of the user's own."""
        key = name + " rendering"
        if self._made(key) is None:
            logic = slicer.modules.volumerendering.logic()
            display = logic.CreateVolumeRenderingDisplayNode()
            display.SetName("CTADeface " + key)
            display.SetSaveWithScene(False)
            display.SetHideFromEditors(True)
            slicer.mrmlScene.AddNode(display)
            display.UnRegister(None)
            display.SetAndObserveVolumePropertyNodeID(self._muscle().GetID())
            display.SetFollowVolumeDisplayNode(False)
            display.SetCroppingEnabled(False)
            display.AddViewNodeID(self._users_view.view.GetID())
            volume.AddAndObserveDisplayNodeID(display.GetID())
            self._nodes[key] = display
        return self._nodes[key]

    def _muscle(self):
        if self._made("muscle") is None:
            preset = slicer.modules.volumerendering.logic().GetPresetByName(PRESET)
            self._nodes["muscle"] = add_hidden("vtkMRMLVolumePropertyNode", "CTADeface CT-Muscle", saved=False)
            # Not Copy: it would take over the preset's name too, and that it is shown to choose from.
            self._nodes["muscle"].CopyParameterSet(preset)
        return self._nodes["muscle"]


def _surface_name():
    # Asked when needed: Slicer may read this file before it has the class.
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
