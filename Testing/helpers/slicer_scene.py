"""What the tests of the Slicer layer share: where the module is, and volumes in the scene."""

from pathlib import Path

import numpy as np
import phantom

MODULE = Path(__file__).resolve().parent.parent / "CTADeface" / "CTADeface.py"


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
