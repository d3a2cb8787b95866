"""Synthetic heads in the scene, and the panel that works on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from ...face.synthetic_head import SPACING_MM, head_parts
from ..scene.application import application
from ..shared_worker import process_events

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode


def synthetic_head(name: str = "Synthetic head") -> tuple[VolumeNode, np.ndarray]:
    """A volume node with the synthetic head, and its face, bool (k, j, i)."""
    hu, face, _brain, _bone = head_parts()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(node, hu)
    node.SetSpacing([SPACING_MM] * 3)
    return node, face


def structure_in(volume: VolumeNode, face: np.ndarray) -> tuple[SegmentationNode, np.ndarray]:
    """A segmentation node with one structure in the face, and its voxels, bool (k, j, i)."""
    points = np.argwhere(face)
    middle = points[len(points) // 2]
    mask = np.zeros(face.shape, bool)
    mask[tuple(slice(at - 2, at + 3) for at in middle)] = True
    mask &= face
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("Orbit", "Orbit")
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segment, volume)
    return node, mask


@contextmanager
def opened_panel() -> Iterator[Any]:
    """The module's panel (``FaceWidget``) as a person has it in front of them; None in an application without panels."""
    module = getattr(slicer.modules, "ctadeface", None)
    if application() is None or module is None:
        yield None
        return
    representation = module.widgetRepresentation()
    before = representation.isEntered
    if not before:
        representation.enter()
    try:
        yield slicer.modules.CTADefaceWidget
    finally:
        if not before:
            representation.exit()


@contextmanager
def answered() -> Iterator[list[str]]:
    """Nobody sits there: questions are answered by yes, and the sentences that windows would show are collected."""
    said: list[str] = []

    def tell(text: str, *_more: Any, **_how: Any) -> bool:
        said.append(text)
        return True

    names = ("confirmOkCancelDisplay", "confirmYesNoDisplay", "warningDisplay", "errorDisplay", "infoDisplay")
    before = {name: getattr(slicer.util, name) for name in names}
    try:
        for name in names:
            setattr(slicer.util, name, tell)
        yield said
    finally:
        for name, function in before.items():
            setattr(slicer.util, name, function)


def wait_for(ready: Callable[[], bool]) -> None:
    """Let the application work until ``ready()``."""
    while not ready():
        process_events()
        time.sleep(0.01)
