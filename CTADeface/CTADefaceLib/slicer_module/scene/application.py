"""The running application, if there is one, and nodes in its scene that the user does not see in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from slicer import qSlicerApplication as Application
    from slicer import qSlicerLayoutManager as LayoutManager
    from slicer import vtkMRMLNode as Node


def application() -> Application | None:
    """``slicer.app``, or None in PythonSlicer and in Python with the slicer-core package."""
    return getattr(slicer, "app", None)


def layout_manager() -> LayoutManager | None:
    """The layout manager, or None without an application or its main window."""
    running = application()
    return running.layoutManager() if running else None


def add_hidden(class_name: str, name: str, saved: bool) -> Node:
    """A new node hidden from editors and the subject hierarchy; ``saved`` with the scene or not."""
    node = slicer.mrmlScene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    # Hidden before it is added: the subject hierarchy makes an item for each node that is not hidden.
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(saved)
    return slicer.mrmlScene.AddNode(node)
