"""The application around us, if there is one, and nodes in its scene that the user does not see in lists."""

import slicer


def application():
    """``slicer.app``, or None in PythonSlicer and in Python with the slicer-core package."""
    return getattr(slicer, "app", None)


def layout_manager():
    """The layout manager, or None without an application or its main window."""
    return application().layoutManager() if application() else None


def add_hidden(class_name, name, saved):
    """A new node hidden from editors and the subject hierarchy; ``saved`` with the scene or not."""
    node = slicer.mrmlScene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    # Before it is added: the subject hierarchy makes an item for what is not hidden.
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(saved)
    return slicer.mrmlScene.AddNode(node)
