"""What the tests of the Slicer layer share: where the module is, and volumes in the scene."""

import numpy as np

from helpers import phantom
from helpers.paths import ENGINE

MODULE = ENGINE / "CTADeface.py"
TURNED = np.array([[-1.0, 0, 0, 12], [0, 1, 0, 5], [0, 0, -1, 40], [0, 0, 0, 1]])


def add_volume(hu, name="Head", matrix=None):
    """A volume node with ``hu`` (k, j, i) at the phantom's spacing, or with an IJK-to-RAS ``matrix``."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(node, hu)
    matrix = np.diag([phantom.SPACING_MM] * 3 + [1.0]) if matrix is None else matrix
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return node


def add_scan(scan, name="Head"):
    """A volume node with the engine's ``Volume`` ``scan`` in HU."""
    return add_volume(scan.to_hu(scan.stored).astype(np.int16), name, scan.geometry.affine())


def load_series(folder, backwards=False):
    """A volume node as Slicer's DICOM import makes it: voxels and grid by GDCM, the instances as attribute."""
    import pydicom
    import SimpleITK as sitk
    import slicer

    from CTADefaceLib.voxels.volume import Geometry

    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names[::-1] if backwards else names)
    node = add_volume(sitk.GetArrayFromImage(image), "CT", Geometry.from_image(image).affine())
    instances = [str(pydicom.dcmread(name, stop_before_pixels=True).SOPInstanceUID) for name in names]
    node.SetAttribute("DICOM.instanceUIDs", " ".join(instances))
    assert slicer.util.arrayFromVolume(node).ndim == 3
    return node


def put_mask(panel, mask=None):
    """The true face as mask on the panel's series of the synthetic head, as a model would have proposed it."""
    import slicer

    from CTADefaceLib.slicer_module.scene import face_segment
    from helpers import dicom_maker

    volume = panel.volume
    if mask is None:
        mask = dicom_maker.phantom_at(points(volume, slicer.util.arrayFromVolume(volume).shape), 1) > 0
    node = face_segment.new_face(volume)
    face_segment.set_proposed_mask(node, mask, volume)
    panel.update()
    return node, mask


def points(volume, shape):
    """LPS of every voxel of a node."""
    from CTADefaceLib.slicer_module.scene.volumes import grid_to_ras

    k, j, i = np.indices(shape)
    ras = np.stack([i, j, k], -1) @ grid_to_ras(volume)[:3, :3].T + grid_to_ras(volume)[:3, 3]
    return ras * [-1, -1, 1]


def add_transform(slicer, matrix):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def face_by_hand(slicer, volume, mask):
    from CTADefaceLib.slicer_module.scene import face_segment

    node = face_segment.new_face(volume)
    face_segment.set_mask(node, mask, volume)
    return node


def add_segments(slicer, volume, structures, name="Structures"):
    """A segmentation node with one segment for each structure ({name: bool (k, j, i)}), on the grid of a volume."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for segment, mask in structures.items():
        node.GetSegmentation().AddEmptySegment(segment, segment)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segment, volume)
    return node


def add_ball(slicer, centre, name):
    """A segmentation node as an RTSTRUCT that was loaded as surfaces: its segment "GTV" is a ball of 9 mm about ``centre``
    (k, j, i) mm."""
    import vtk

    ball = vtk.vtkSphereSource()
    ball.SetCenter(*centre[::-1])
    ball.SetRadius(9)
    ball.Update()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), "GTV", [1, 0, 0])
    return node


def save_and_load(slicer, nodes, folder):
    """Save ``nodes`` and the scene to ``folder``, clear the scene, and load it again."""
    for node in nodes:
        node.AddDefaultStorageNode()
        extension = ".seg.nrrd" if node.IsA("vtkMRMLSegmentationNode") else ".nrrd"
        node.GetStorageNode().SetFileName(str(folder / (node.GetID() + extension)))
        assert node.GetStorageNode().WriteData(node)
    slicer.mrmlScene.SetURL(str(folder / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear(0)
    slicer.mrmlScene.SetURL(str(folder / "scene.mrml"))
    assert slicer.mrmlScene.Connect()


def node_ids(slicer):
    return {node.GetID() for node in slicer.util.getNodes("*").values()}
