"""A volume node and the DICOM files that it was loaded from: found in Slicer's database, proved by the voxels."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ...cases.options import Options
from ...cases.prepare import target_of
from ...cases.result import Result
from ...checks.check import Check
from ...checks.written import written_file
from ...dicom.deface_series import PersonsMask, compare_series
from ...dicom.deface_study import deface_dicom_with, require_defaced
from ...dicom.folders import MASK_EXTENSION
from ...dicom.new_series import as_slices, write_new_series
from ...errors import InputError
from ...files.write import write_new_mask
from ...progress import Progress
from ...release.outgoing import CaseMask, Outgoing
from ...voxels.volume import Volume
from ..background import drawing_in_background
from ..scene.volumes import INSTANCES
from ..texts import _
from .file_export import released
from .node_export import mask_of, networks_about

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

SAME_HU = 0.01
NEW_SERIES = "series_01"


def source_files(node: VolumeNode, whole_study: bool = False) -> tuple[list[str], str]:
    """(paths of the node's own instances, or of all of its study, UID of its series), from Slicer's DICOM database.

    Raises: InputError when the node did not come from DICOM, or its files are no longer known.
    """
    database = getattr(slicer, "dicomDatabase", None)
    uids = (node.GetAttribute(INSTANCES) or "").split()
    if not uids:
        raise InputError(_("{name}: was not loaded from DICOM; ask for a new series.").format(name=node.GetName()))
    files = [database.fileForInstance(uid) for uid in uids] if database is not None else []
    if database is None or not all(path and Path(path).is_file() for path in files):
        raise InputError(
            _(
                "{name}: its DICOM files are not in Slicer's database any more; import them again in the "
                "DICOM module and load the volume from there."
            ).format(name=node.GetName())
        )
    series = database.seriesForFile(files[0])
    if whole_study:
        study = database.studyForSeries(series)
        files = [path for one in database.seriesForStudy(study) for path in database.filesForSeries(one)]
    return list(dict.fromkeys(files)), series


def persons_mask(hu: np.ndarray, name: str, face: CaseMask, volume: Volume) -> PersonsMask:
    """``PersonsMask`` on the slices of the series ``volume`` for the ``CaseMask`` of a node called ``name``, on the grid of
    its voxels ``hu`` (k, j, i).

    The voxels prove that the node is this series, perhaps with axes that run the other way.
    Raises: InputError when they differ: the volume was cropped, resampled or changed after it was loaded.
    """
    wanted = volume.to_hu(volume.stored)
    for steps in itertools.product((1, -1), repeat=3):
        turned = tuple(slice(None, None, step) for step in steps)
        if hu.shape == wanted.shape and _same(hu[turned], wanted):
            # Copies, as the steps that follow need contiguous arrays.
            return PersonsMask(
                np.ascontiguousarray(face.mask[turned]),
                None if face.proposal is None else np.ascontiguousarray(face.proposal[turned]),
                face.model,
                face.settings,
                [one.moved(one.whole(hu.shape)[turned]) for one in face.kept.structures] if face.kept else [],
            )
    raise InputError(
        _(
            "{name}: its voxels are not those of its DICOM files, it was changed after it was loaded; "
            "load it again, or export it as a new series."
        ).format(name=name)
    )


def _same(hu: np.ndarray, wanted: np.ndarray) -> bool:
    # A few voxels first: most orientations fail there at once.
    few = (slice(None, None, 7),) * 3
    return all(np.allclose(hu[part], wanted[part], rtol=0, atol=SAME_HU, equal_nan=True) for part in (few, ...))


def export_instances(
    source: VolumeNode,
    segmentation: SegmentationNode,
    mask: np.ndarray,
    folder: str | Path,
    options: Options,
    whole_study: bool,
    warn: Callable[[str], None],
) -> list[Result]:
    """Deface the files that the node ``source`` was loaded from with its ``mask`` (bool); returns the ``Result``s.

    Raises: ChecksFailed, OutputError and other CTADefaceErrors when nothing at all was written.
    """
    files, series = source_files(source, whole_study)
    face, hu, name = mask_of(segmentation, source, mask), slicer.util.arrayFromVolume(source), source.GetName()
    networks = networks_about(face)
    options = replace(options, series=series, second_opinion=networks is not None)
    said: list[str] = []

    def work(progress: Progress) -> list[Result]:
        given = partial(persons_mask, hu, name, face)
        return deface_dicom_with(given, files, folder, options, progress, said.append, networks)

    try:
        results = drawing_in_background(work)
    finally:
        # Told here, because only the main thread may show them.
        for text in said:
            warn(text)
    return require_defaced(results, name, options.override)


def export_new_series(outgoing: Outgoing, folder: str | Path, options: Options) -> Result:
    """Write an ``Outgoing`` case as a new series into ``folder``/series_01; returns the ``Result``.

    Raises: ChecksFailed, InputError for a volume that a CT series cannot hold, OutputError, MissingPackages.
    """
    slices = as_slices(outgoing.volume, outgoing.stored)
    target = replace(target_of(options, Path(folder) / NEW_SERIES), mask_extension=MASK_EXTENSION)
    result = Result(outgoing.volume.name, series=1)
    result.has_mask(outgoing.volume, outgoing.face)
    return released(outgoing, target, lambda progress: NewSeriesWriter(outgoing, slices), result)


@dataclass(frozen=True)
class NewSeriesWriter:
    """Writes ``slices`` as a series that names no patient and no date."""

    outgoing: Outgoing
    slices: Volume

    def write(self, staged: Path) -> None:
        staged.mkdir()
        write_new_series(self.slices, staged, self.outgoing.is_face_gone)

    def verify(self, staged: Path) -> Check:
        return written_file(staged, self.slices, self.slices.stored, compare_series)

    def write_mask(self, staged: Path) -> None:
        write_new_mask(self.outgoing.mask, self.outgoing.volume.geometry, staged)
