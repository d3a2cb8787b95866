"""Cameras of 3D views: read, set, and two that follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk

from ..texts import _

if TYPE_CHECKING:
    from slicer import vtkMRMLCameraNode as CameraNode
    from slicer import vtkMRMLViewNode as ViewNode

SETTINGS = ("Position", "FocalPoint", "ViewUp", "ViewAngle", "ParallelScale")


def camera_of(view: ViewNode) -> CameraNode:
    """The camera node of a 3D view's node. Raises: RuntimeError when it has none."""
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view)
    if camera is None:
        raise RuntimeError(_("The 3D view has no camera; open a layout with a 3D view."))
    return camera


def camera_settings(camera: CameraNode) -> dict[str, Any]:
    """Where a camera stands and how it looks, as ``set_camera`` takes it."""
    return {name: getattr(camera, "Get" + name)() for name in SETTINGS}


def set_camera(camera: CameraNode, settings: dict[str, Any]) -> None:
    """Give ``camera`` the ``settings`` of ``camera_settings``."""
    with slicer.util.NodeModify(camera):
        for name, value in settings.items():
            getattr(camera, "Set" + name)(value)
    camera.ResetClippingRange()


class LinkedCameras:
    """Two cameras, each of which follows the other until ``release``; ``other`` begins where ``one`` stands."""

    def __init__(self, one: CameraNode, other: CameraNode) -> None:
        self.one, self._following = one, False
        set_camera(other, camera_settings(one))
        self._tags = [
            (moved, moved.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_, pair=(moved, follower): self._follow(*pair)))
            for moved, follower in ((one, other), (other, one))
        ]

    def release(self) -> None:
        """Let each camera go its own way."""
        for camera, tag in self._tags:
            camera.RemoveObserver(tag)
        self._tags = []

    def _follow(self, moved: CameraNode, follower: CameraNode) -> None:
        settings = camera_settings(moved)
        # The follower reports its own change, which must not come back; nor must the rounding of it, or both never rest.
        if not self._following and not _same(settings, camera_settings(follower)):
            self._following = True
            try:
                set_camera(follower, settings)
            finally:
                self._following = False


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(np.allclose(one[name], other[name], rtol=1e-9, atol=1e-9) for name in SETTINGS)
