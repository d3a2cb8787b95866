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
from ...release.gate import Target, Writer
from ...release.hospital_folder import mask_name, masks_folder, require_apart
from ...release.outgoing import Outgoing
from ..background import drawing_in_background
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
    node: VolumeNode, path: str | Path, options: Options, mask: Path | None, warn: Callable[[str], None]
) -> Path:
    """Check a defaced volume node and write it, and its mask to the path ``mask`` (None: nowhere); returns the path of the
    record. Raises: as ``FaceLogic.exportVolume``."""
    source, segmentation, fill = origin(node)
    require_apart(volumes.files_of(source, segmentation), Path(path).parent)
    case = prepared(source, segmentation, replace(options, fill=fill), slicer.util.arrayFromVolume(node))
    target, result = target_of(options, path, mask), Result(node.GetName())
    result = released(case, target, lambda progress: NodeWriter(case, progress), result)
    if result.error:
        warn(result.error)
    assert result.record is not None, "A case that was released has a record."
    return Path(result.record)


def released(case: Outgoing, target: Target, writer: Callable[[Progress], Writer], result: Result) -> Result:
    """As ``release_case``, in the background; the pictures of a report are drawn elsewhere. Raises: also Cancelled, and
    nothing is then written."""

    def work(progress: Progress) -> Result:
        progress.begin("write")
        progress.enter("write")
        return release_case(case, target, writer(progress), result)

    return drawing_in_background(work)


def write_mask(node: VolumeNode, mask: np.ndarray, target: Path, release: Path, overwrite: bool) -> None:
    """Write the ``mask`` (bool) of a volume node to ``target``, outside of the folder ``release``. Raises: OutputError."""
    with publishing([target], overwrite, release) as staged:
        write_new_mask(mask, volumes.engine_volume(node).geometry, staged[0])


@dataclass(frozen=True)
class NodeWriter:
    """Writes voxels and grid of a case, and no other header text."""

    outgoing: Outgoing
    progress: Progress

    def write(self, staged: Path) -> None:
        self.progress.check()
        write_new(self.outgoing.stored, self.outgoing.volume.geometry, staged)

    def verify(self, staged: Path) -> Check:
        self.progress.check()
        return written_file(staged, self.outgoing.volume, self.outgoing.stored, compare_with_itk)

    def write_mask(self, staged: Path) -> None:
        write_new_mask(self.outgoing.mask, self.outgoing.volume.geometry, staged)
