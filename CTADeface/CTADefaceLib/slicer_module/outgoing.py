"""A defaced volume node as the engine's case on its way out, with all that its record says."""

from pathlib import Path

import numpy as np
import slicer

from ..checks.written import written_file
from ..errors import InputError
from ..files.read import compare_with_itk
from ..files.write import write_new, write_new_mask
from ..fill import fill_value, parse_fill
from ..records.folder import mask_name, masks_folder
from ..release import Outgoing, release
from . import face_segment, volumes

# Attribute of a defaced volume node.
FILL = "CTADeface.Fill"
# Attributes of a face segmentation, "CTADeface.<key>", as texts: how the model ran that proposed it.
PROPOSED_BY = {"device": str, "mirroring": lambda text: text == "True", "step_size": float,
               "ears": lambda text: text == "True"}


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


def how_proposed(segmentation):
    """The record's settings of the model's run that proposed a face segmentation; None each where none did, or where
    an earlier version has not noted it."""
    noted = {key: segmentation.GetAttribute("CTADeface." + key) for key in PROPOSED_BY}
    return {key: PROPOSED_BY[key](text) if text else None for key, text in noted.items()}


def ears_wanted(segmentation):
    """Was the mask of a face segmentation proposed with both ears?"""
    return segmentation is not None and bool(how_proposed(segmentation)["ears"])


def outgoing(source, segmentation, mask, stored, fill, overrides=None, by=None):
    """The engine's ``Outgoing`` of a volume node, its mask (bool) and its voxels after ``fill``."""
    volume = volumes.engine_volume(source)
    value = fill_value(volume, fill)
    settings = {"fill": fill, "fill_hu": round(float(value), 2), "mask": "segmentation", **how_proposed(segmentation)}
    return Outgoing(volume, mask, np.ascontiguousarray(stored), value, settings, model_of(segmentation),
                    face_segment.proposal_mask(segmentation, source), overrides, by,
                    ears=volumes.head_ears(source) if ears_wanted(segmentation) else None)


def export(case, path, overwrite=False, records=None, mask_path=None, report=False):
    """Write an ``Outgoing`` case to ``path`` when its checks allow it, and its mask and report if asked for; returns what
    ``release`` returns."""
    geometry = case.volume.geometry
    return release(case, path, lambda staged: write_new(case.stored, geometry, staged),
                   lambda staged: written_file(staged, case.volume, case.stored, compare_with_itk), mask_path,
                   lambda staged: write_new_mask(case.mask, geometry, staged), records, overwrite, report=report)


def mask_path(path, masks=None, records=None):
    """Where the mask of a volume that is exported to ``path`` lies (see ``records.folder``). Raises: InputError."""
    return masks_folder(Path(path).parent, masks, records) / mask_name(path)
