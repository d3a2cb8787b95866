"""Loading and saving behind ``slicer.util.loadVolume`` and its relatives, through the real storage nodes."""

from pathlib import Path

import slicer

_STORAGE = {
    "VolumeFile": "vtkMRMLVolumeArchetypeStorageNode",
    "SegmentationFile": "vtkMRMLSegmentationStorageNode",
    "TransformFile": "vtkMRMLTransformStorageNode",
}


class InputOutputManager:
    """Stands for qSlicerCoreIOManager with volumes, segmentations, transforms and scenes."""

    def fileType(self, path):
        """What kind of file a path names."""
        name = str(path).lower()
        if name.endswith((".seg.nrrd", ".seg.nii.gz")):
            return "SegmentationFile"
        if name.endswith((".mrml", ".mrb")):
            return "SceneFile"
        return "TransformFile" if name.endswith((".h5", ".tfm")) else "VolumeFile"

    def fileWriterFileType(self, node, *_):
        """What kind of file a node is saved as."""
        if node.IsA("vtkMRMLSegmentationNode"):
            return "SegmentationFile"
        return "TransformFile" if node.IsA("vtkMRMLTransformNode") else "VolumeFile"

    def loadNodes(self, kind, properties, loaded=None, messages=None):
        """Load one file into the scene."""
        path = properties["fileName"]
        if kind == "SceneFile":
            slicer.mrmlScene.SetURL(str(path))
            return bool(slicer.mrmlScene.Import(messages))
        node = _load(kind, path, properties)
        if node is not None and loaded is not None:
            loaded.AddItem(node)
        return node is not None

    def saveNodes(self, kind, properties, messages=None):
        """Save one node, or the scene without its data."""
        path = str(properties["fileName"])
        if kind == "SceneFile":
            return bool(slicer.mrmlScene.Commit(path))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        # As in Slicer, the node then knows its file.
        storage = slicer.mrmlScene.AddNewNodeByClass(_STORAGE[kind])
        storage.SetFileName(path)
        node.SetAndObserveStorageNodeID(storage.GetID())
        return bool(storage.WriteData(node))


def _load(kind, path, properties):
    """One node from a file, or None."""
    if not Path(path).is_file():
        return None
    name = properties.get("name") or Path(path).name.split(".")[0]
    if kind == "VolumeFile":
        options = 1 if properties.get("labelmap") else 0
        return slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name, options)
    if kind == "SegmentationFile":
        return slicer.modules.segmentations.logic().LoadSegmentationFromFile(str(path), True, name)
    storage = slicer.mrmlScene.CreateNodeByClass(_STORAGE[kind])
    storage.UnRegister(None)
    storage.SetFileName(str(path))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    if not storage.ReadData(node):
        slicer.mrmlScene.RemoveNode(node)
        return None
    return node
