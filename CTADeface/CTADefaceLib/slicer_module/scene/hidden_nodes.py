"""Nodes that the user does not see in lists."""

import slicer


def add_hidden(class_name, name, saved):
    """A new node hidden from editors and the subject hierarchy; ``saved`` with the scene or not."""
    node = slicer.mrmlScene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    # Before it is added: the subject hierarchy makes an item for what is not hidden.
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(saved)
    return slicer.mrmlScene.AddNode(node)
