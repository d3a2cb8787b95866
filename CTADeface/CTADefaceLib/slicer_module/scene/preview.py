"""What will leave the hospital: the CT-Muscle rendering of the original, the mask, or the defaced volume.

Everything shown is a node of its own, hidden and not saved with the scene; what the user had on the screen is noted
first and brought back by ``hide``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import slicer

from ..background import draw_now, in_background
from . import face_segment, volumes
from .application import add_hidden
from .cameras import LinkedCameras, camera_of, camera_settings, set_camera
from .coarse import PROCESSOR, coarse_grid, coarse_steps, drawable, drawn_by_processor
from .mask_surface import mask_shares, surface_of
from .users_view import UsersView

if TYPE_CHECKING:
    from slicer import vtkMRMLCameraNode as CameraNode
    from slicer import vtkMRMLNode as Node
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer import vtkMRMLViewNode as ViewNode
    from slicer import vtkMRMLVolumePropertyNode as VolumePropertyNode
    from slicer import vtkMRMLVolumeRenderingDisplayNode as RenderingNode

    from ...rendering.camera import Focus

PRESET = "CT-Muscle"
STATES = ("original", "mask", "defaced")
# Pure work, and what puts its answer on the screen.
Renewal: TypeAlias = tuple[Callable[[], Any], Callable[[Any], None]]
# The original and the defaced volume in two views.
SIDE_BY_SIDE = "side by side"


class Preview:
    """One preview at a time, in the first 3D view, or side by side in two of its own. ``state`` is None while hidden."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.volume: VolumeNode | None = None
        self._users_view: UsersView | None = None
        self._focus: Focus | None = None
        self._views: tuple[ViewNode, ...] = ()
        self._linked: LinkedCameras | None = None
        self._coarse = False
        self._steps: tuple[int, ...] = (1, 1, 1)
        # What the defaced copy was made from.
        self._case = ""
        self._nodes: dict[str, Node] = {}

    def show(
        self,
        volume: VolumeNode,
        segmentation: SegmentationNode | None,
        state: str,
        defaced: np.ndarray | None = None,
        case: str = "",
    ) -> None:
        """Show a volume node: ``state`` 'original', 'mask' (with ``segmentation``), 'defaced' or 'side by side'.

        ``defaced``: voxels (k, j, i) of the defaced volume, needed for the last two unless ``shows(volume, case)``, where
        ``case`` is a text that differs with what they are made from. Raises: ValueError for any other state, RuntimeError
        when the application has no 3D view, Cancelled.
        """
        if state not in (*STATES, SIDE_BY_SIDE):
            raise ValueError(f"{state}: unknown preview; choose {', '.join((*STATES, SIDE_BY_SIDE))}.")
        if self.volume is not volume:
            self.hide()
        first = self.state is None
        try:
            if first:
                self._begin(volume)
            if defaced is not None:
                self._put_copy("defaced", in_background(lambda: self._drawn(defaced)))
                self._case = case
            if self._coarse and state != "defaced" and self._made("original") is None:
                array = slicer.util.arrayFromVolume(volume)
                self._put_copy("original", in_background(lambda: self._drawn(array)))
            shares = self._shares(segmentation) if state == "mask" and segmentation is not None else None
            self.state = state
            self._put_on_screen(first)
            self._show_mask(segmentation, shares)
        except BaseException:
            # Also when a person cancels: the screen is then as it was.
            if first:
                self.hide()
            raise

    def shows(self, volume: VolumeNode, case: str) -> bool:
        """Is the defaced volume of ``case`` at hand, see ``show``?"""
        return self.volume is volume and self._case == case and self._made("defaced") is not None

    def renewal_of_mask(self, segmentation: SegmentationNode) -> Renewal:
        """As ``FaceLogic.renewPreview``, of the surface of the mask."""
        mask, steps, screen = face_segment.reading(segmentation, self._shown), self._steps, self._screen

        def put(shares: tuple[np.ndarray, list[int]]) -> None:
            if self._users_view is screen and self.state == "mask":
                self._show_mask(segmentation, shares)

        return lambda: mask_shares(mask(), steps), put

    def renewal_of_defaced(self, filling: Callable[[], np.ndarray], case: str) -> Renewal:
        """As ``FaceLogic.renewPreview``; ``filling`` is pure work that gives the voxels of ``case``, see ``show``."""
        screen = self._screen

        def put(drawn: np.ndarray) -> None:
            # The preview may have been hidden meanwhile, or be that of another volume.
            if self._users_view is screen:
                self._put_copy("defaced", drawn)
                self._case = case

        return lambda: self._drawn(filling()), put

    def look(self, name: str) -> None:
        """Turn the camera: 'front' or 'oblique', the patient upright and the head filling the view."""
        from ...rendering.camera import FRONTAL, OBLIQUE, aim_camera, tissue_focus

        if self._focus is None:
            hu, grid = slicer.util.arrayFromVolume(self._shown), volumes.grid_to_patient(self._shown)
            self._focus = in_background(lambda: tissue_focus(hu, grid))
        camera = self._camera
        with slicer.util.NodeModify(camera):
            aim_camera(camera, {"front": FRONTAL, "oblique": OBLIQUE}[name], self._focus)
        camera.ResetClippingRange()

    def hide(self) -> None:
        """Remove everything that the preview has made and restore the user's view."""
        if self._users_view is None:
            return
        self.state = self.volume = self._focus = None
        self._case = ""
        self._unlink()
        for key in list(self._nodes):
            self._remove(key)
        self._screen.restore()
        self._users_view = None

    def forget(self) -> None:
        """The scene is being closed: restore the layout, the only part of the user's view that stays."""
        self._unlink()
        if self._users_view is not None:
            self._users_view.restore_layout(maximized=False)
        self.state = self.volume = self._users_view = self._focus = None
        self._case = ""
        self._nodes = {}

    def _begin(self, volume: VolumeNode) -> None:
        """Note what the user sees, and how this volume is drawn."""
        self._users_view = UsersView()
        self._views = (self._users_view.view, self._users_view.view)
        self.volume = volume
        self._steps = coarse_steps(volume)
        self._coarse = drawn_by_processor(self._users_view.view)

    def _put_on_screen(self, first: bool) -> None:
        """Bring the renderings of the present state into view one after the other: without a graphics card, each of them
        takes a good part of a second, and the windows should live meanwhile."""
        before, after = self._arrange(self.state == SIDE_BY_SIDE)
        if first:
            self.look("front")
        draw_now()
        shown = {"original": (before, self.state != "defaced"), "defaced": (after, self.state in ("defaced", SIDE_BY_SIDE))}
        for name, (view, visible) in sorted(shown.items(), key=lambda item: item[1][1]):
            volume = self._made(name) or (None if name == "defaced" or self._coarse else self.volume)
            if volume is not None:
                self._rendering(name, volume, view).SetVisibility(visible)
                draw_now()

    @property
    def _shown(self) -> VolumeNode:
        assert self.volume is not None, "Nothing is shown yet: call show first."
        return self.volume

    @property
    def _screen(self) -> UsersView:
        assert self._users_view is not None, "Nothing is shown yet: call show first."
        return self._users_view

    @property
    def _camera(self) -> CameraNode:
        """The camera that ``look`` turns; in two views, the other one follows it."""
        return self._linked.one if self._linked is not None else self._screen.camera

    def _arrange(self, two: bool) -> tuple[ViewNode, ViewNode]:
        """Open one view, or ``two``; returns the views of the original and of the defaced volume."""
        screen = self._screen
        if two == (self._linked is not None):
            return self._views
        settings = camera_settings(self._camera)
        if two:
            self._views = screen.two_views()
            one, other = (camera_of(view) for view in self._views)
            for camera in (one, other):
                camera.SetSaveWithScene(False)
            set_camera(one, settings)
            self._linked = LinkedCameras(one, other)
        else:
            self._unlink()
            screen.one_view()
            self._views = (screen.view, screen.view)
            set_camera(screen.camera, settings)
        return self._views

    def _unlink(self) -> None:
        if self._linked is not None:
            self._linked.release()
        self._linked = None

    def _show_mask(self, segmentation: SegmentationNode | None, shares: tuple[np.ndarray, list[int]] | None) -> None:
        """Show what ``mask_shares`` gave as a surface of our own: Slicer's would be made again with every stroke of a brush.
        None: hide it."""
        display = self._made("mask display")
        if segmentation is None or shares is None:
            if display is not None:
                display.SetVisibility(False)
            return
        model = self._made("mask")
        if model is None or display is None:
            self._remove("mask display")
            self._remove("mask")
            model = self._nodes["mask"] = add_hidden("vtkMRMLModelNode", "CTADeface mask", saved=False)
            display = self._nodes["mask display"] = add_hidden("vtkMRMLModelDisplayNode", "CTADeface mask", saved=False)
            display.AddViewNodeID(self._views[0].GetID())
            model.SetAndObserveDisplayNodeID(display.GetID())
        display.SetColor(face_segment.colour(segmentation))
        model.SetAndObserveTransformNodeID(self._shown.GetTransformNodeID())
        model.SetAndObservePolyData(surface_of(*shares, self._shown))
        display.SetVisibility(True)

    def _shares(self, segmentation: SegmentationNode) -> tuple[np.ndarray, list[int]]:
        mask, steps = face_segment.reading(segmentation, self._shown), self._steps
        return in_background(lambda: mask_shares(mask(), steps))

    def _drawn(self, array: np.ndarray) -> np.ndarray:
        """Pure work: what is drawn of ``array`` (k, j, i) on the volume's grid, in software rendering a coarse copy."""
        return drawable(array, self._steps) if self._coarse else array

    def _put_copy(self, key: str, drawn: np.ndarray) -> None:
        """Put what ``_drawn`` gave into a hidden volume node."""
        node = self._made(key)
        if node is None:
            # The rendering of a volume that was removed shows nothing.
            self._remove(key + " rendering")
            node = self._nodes[key] = add_hidden("vtkMRMLScalarVolumeNode", "CTADeface preview", saved=False)
        grid = coarse_grid(self._shown, self._steps) if self._coarse else None
        volumes.update_defaced_node(node, self._shown, drawn, grid)

    def _made(self, key: str) -> Node | None:
        """A node that this preview has made and that nobody has removed from the scene, or None."""
        node = self._nodes.get(key)
        return node if node is not None and slicer.mrmlScene.IsNodePresent(node) else None

    def _remove(self, key: str) -> None:
        if self._made(key) is not None:
            slicer.mrmlScene.RemoveNode(self._nodes[key])
        self._nodes.pop(key, None)

    def _rendering(self, name: str, volume: VolumeNode, view: ViewNode) -> RenderingNode:
        """The CT-Muscle rendering of a volume in ``view``, made when first needed, beside any rendering of the user's."""
        key = name + " rendering"
        if self._made(key) is None:
            logic = slicer.modules.volumerendering.logic()
            display = logic.CreateVolumeRenderingDisplayNode(*([PROCESSOR] if self._coarse else []))
            display.SetName("CTADeface " + key)
            display.SetSaveWithScene(False)
            display.SetHideFromEditors(True)
            slicer.mrmlScene.AddNode(display)
            display.UnRegister(None)
            display.SetAndObserveVolumePropertyNodeID(self._muscle().GetID())
            display.SetFollowVolumeDisplayNode(False)
            display.SetCroppingEnabled(False)
            display.AddViewNodeID(view.GetID())
            volume.AddAndObserveDisplayNodeID(display.GetID())
            self._nodes[key] = display
        if not self._nodes[key].IsViewNodeIDPresent(view.GetID()):
            self._nodes[key].RemoveAllViewNodeIDs()
            self._nodes[key].AddViewNodeID(view.GetID())
        return self._nodes[key]

    def _muscle(self) -> VolumePropertyNode:
        if self._made("muscle") is None:
            preset = slicer.modules.volumerendering.logic().GetPresetByName(PRESET)
            self._nodes["muscle"] = add_hidden("vtkMRMLVolumePropertyNode", "CTADeface CT-Muscle", saved=False)
            # Not Copy: it would also copy the preset's name, and that the preset is offered in lists.
            self._nodes["muscle"].CopyParameterSet(preset)
        return self._nodes["muscle"]
