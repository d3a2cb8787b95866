"""A defaced volume node as the engine's case on its way out, with all that its record says."""

import numpy as np
import slicer

from ..checks.written import written_file
from ..errors import InputError
from ..files.read import compare_with_itk
from ..files.write import write_new
from ..fill import fill_value, parse_fill
from ..release import Outgoing, release
from . import face_segment, volumes

# Attribute of a defaced volume node.
FILL = "CTADeface.Fill"


def mark(node, fill):
    """Note on the defaced volume ``node`` how it was filled."""
    node.SetAttribute(FILL, str(fill))


def origin(node):
    """(original volume node, segmentation node, fill) of a defaced volume node.

    Raises: InputError for a volume that ``applyFill`` did not make, or whose original or mask has left the scene.
    """
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node is not None and segmentation.GetNodeReference(face_segment.DEFACED) is node:
            source = face_segment.reference_volume(segmentation)
            if source is not None and node.GetAttribute(FILL):
                return source, segmentation, parse_fill(node.GetAttribute(FILL))
    name = node.GetName() if node is not None else "No volume"
    raise InputError(f"{name}: is not a volume that Apply fill made, or its original or mask has left the scene, so that "
                     "it cannot be checked; apply the fill and export its result.")


def model_of(segmentation):
    """Name and checksum of the model that proposed a face segmentation, None when none did."""
    name = segmentation.GetAttribute("CTADeface.model")
    return {"name": name, "sha256": segmentation.GetAttribute("CTADeface.model_sha256")} if name else None


def outgoing(source, segmentation, mask, stored, fill, overrides=None, by=None):
    """The engine's ``Outgoing`` of a volume node, its mask (bool) and its voxels after ``fill``."""
    volume = volumes.engine_volume(source)
    value = fill_value(volume, fill)
    settings = {"fill": fill, "fill_hu": round(float(value), 2), "mask": "segmentation",
                "device": segmentation.GetAttribute("CTADeface.device")}
    return Outgoing(volume, mask, np.ascontiguousarray(stored), value, settings, model_of(segmentation),
                    face_segment.proposal_mask(segmentation, source), overrides, by)


def export(case, path, overwrite=False, records=None, report=False):
    """Write an ``Outgoing`` case to ``path`` when its checks allow it; returns what ``release`` returns."""
    geometry = case.volume.geometry
    return release(case, path, lambda staged: write_new(case.stored, geometry, staged),
                   lambda staged: written_file(staged, case.volume, case.stored, compare_with_itk),
                   write_mask=lambda staged: write_new(case.mask.view(np.uint8), geometry, staged),
                   records=records, overwrite=overwrite, report=report)
