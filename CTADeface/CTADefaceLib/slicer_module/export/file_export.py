"""Writes a defaced volume node, or its face mask, to a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ...cases.options import Options
from ...cases.prepare import release_case, target_of
from ...cases.result import Result
from ...checks.check import Check
from ...checks.written import written_file
from ...errors import InputError
from ...files.publish import publishing
from ...files.read import compare_with_itk
from ...files.write import write_new, write_new_mask
from ...progress import Progress
from ...release.hospital_folder import mask_name, masks_folder
from ...release.outgoing import Outgoing
from ..background import in_background
from ..scene import volumes
from ..texts import _
from .node_export import origin, prepared

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode

EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")


def require_extension(path: str | Path) -> None:
    """Raises: InputError for the name of a file that cannot be written."""
    if not str(path).lower().endswith(EXTENSIONS):
        raise InputError(
            _("{path}: unknown kind of file; choose a name that ends in {extensions}.").format(
                path=path, extensions=", ".join(EXTENSIONS)
            )
        )


def mask_path(path: str | Path, masks: str | Path | None = None, records: str | Path | None = None) -> Path:
    """Where the mask of a volume that is exported to ``path`` lies (see ``release.hospital_folder``). Raises: InputError."""
    return masks_folder(Path(path).parent, masks, records) / mask_name(path)


def write_checked(
    node: VolumeNode,
    path: str | Path,
    options: Options,
    mask: Path | None,
    progress: Progress,
    warn: Callable[[str], None],
) -> Path:
    """Check a defaced volume node and write it, and its mask to the path ``mask`` (None: nowhere); returns the path of the
    record. Raises: as ``FaceLogic.exportVolume``."""
    source, segmentation, fill = origin(node)
    case = prepared(source, segmentation, replace(options, fill=fill), progress, slicer.util.arrayFromVolume(node))
    target, writer, result = target_of(options, path, mask), NodeWriter(case), Result(node.GetName())
    if options.report:
        # Its pictures are VTK's, which only the main thread may call.
        release_case(case, target, writer, result)
    else:
        in_background(lambda: release_case(case, target, writer, result))
    if result.error:
        warn(result.error)
    assert result.record is not None, "A case that was released has a record."
    return Path(result.record)


def write_mask(node: VolumeNode, mask: np.ndarray, target: Path, release: Path, overwrite: bool) -> None:
    """Write the ``mask`` (bool) of a volume node to ``target``, outside of the folder ``release``. Raises: OutputError."""
    with publishing([target], overwrite, release) as staged:
        write_new_mask(mask, volumes.engine_volume(node).geometry, staged[0])


@dataclass(frozen=True)
class NodeWriter:
    """Writes voxels and grid of a case, and no other header text."""

    outgoing: Outgoing

    def write(self, staged: Path) -> None:
        write_new(self.outgoing.stored, self.outgoing.volume.geometry, staged)

    def verify(self, staged: Path) -> Check:
        return written_file(staged, self.outgoing.volume, self.outgoing.stored, compare_with_itk)

    def write_mask(self, staged: Path) -> None:
        write_new_mask(self.outgoing.mask, self.outgoing.volume.geometry, staged)
