"""What the logic's methods write and send: volumes, DICOM series, masks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from ...cases.options import Options
from ...cases.result import Result
from ...dicom.transfer.association import OWN_TITLE, Peer
from ...dicom.transfer.sending import Sent
from ...dicom.transfer.tls import Tls
from ...release.hospital_folder import require_apart
from ..scene import face_segment, volumes
from . import dicom_send, file_export, node_export

if TYPE_CHECKING:
    # Slicer may read this file before it has the classes of its module Segmentations.
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode


class Exports:
    """The part of the logic that lets results leave the scene."""

    def exportVolume(
        self,
        volumeNode: VolumeNode,
        path: str | Path,
        overwrite: bool = False,
        overrides: dict[str, str] | None = None,
        by: str | None = None,
        records: str | Path | None = None,
        report: bool = False,
        identity: bool = False,
        mask: bool = False,
        masks: str | Path | None = None,
        warn: Callable[[str], None] = logging.warning,
    ) -> Path:
        """Check a volume that ``applyFill`` made and write it as .nii.gz, .nii, .nrrd or .mha: voxels and grid, no
        other header text. The parent transform is not applied: the file has the grid of the scan.

        Parameters: ``overrides`` failed check -> reason, and ``by`` who gives it (None: this computer's user); ``records`` the
        folder of the record (None: "<folder>-hospital-only" beside the folder of ``path``); ``report`` also a page with
        pictures of the original face beside the record; ``identity`` as for ``runChecks``; ``mask`` also the face mask,
        as ``exportMask`` does; ``warn`` is called with a sentence when the report or the mask could not be made.
        Returns: the path of the record. Raises: ChecksFailed, InputError for another volume or extension, for a folder of
        records or masks inside the folder of ``path``, and where that holds the file of the original or of its mask;
        OutputError for an existing file without ``overwrite``, MissingPackages when the report could not be drawn.
        """
        file_export.require_extension(path)
        options = _options(overwrite, overrides, by, records, report, identity)
        options.require_sound()
        mask_path = file_export.mask_path(path, masks, records) if mask else None
        return file_export.write_checked(volumeNode, path, options, mask_path, warn)

    def exportDicom(
        self,
        volumeNode: VolumeNode,
        folder: str | Path,
        overwrite: bool = False,
        overrides: dict[str, str] | None = None,
        by: str | None = None,
        records: str | Path | None = None,
        report: bool = False,
        identity: bool = False,
        wholeStudy: bool = False,
        deidentifyHeaders: bool = False,
        newSeries: bool = False,
        keepPrivate: bool = False,
        warn: Callable[[str], None] = lambda text: None,
        pseudonymKey: str | Path | None = None,
        shiftDates: bool = False,
        maskSeg: bool = False,
    ) -> list[Result]:
        """Check a volume that ``applyFill`` made and write the DICOM files that its original was loaded from, with the
        face filled in them, as a new series "series_NN" into ``folder``.

        Parameters: ``wholeStudy`` also the other series of the study that share the frame of reference, with the same
        mask; ``deidentifyHeaders`` by the Basic Profile of PS3.15, else the headers keep the patient's identity; the patient
        then gets a pseudonym by the key in the file ``pseudonymKey`` (None: one in the folder of the records), and with
        ``shiftDates`` dates are moved by the patient's own days and not removed;
        ``newSeries`` for a volume that did not come from DICOM: a series without patient and dates; ``keepPrivate`` keeps
        private elements, which may show the face; ``maskSeg`` also writes the face mask as DICOM SEG on the original slices,
        into the folder of the records; ``warn`` is called with warnings; the others as for ``exportVolume``.
        Returns: one ``Result`` per series, also for those that were not defaced, with the reason. Raises: ChecksFailed,
        InputError when the files cannot be found or the volume was changed after loading, OutputError,
        MissingPackages.
        """
        from . import dicom_export

        source, segmentation, fill = node_export.origin(volumeNode)
        options = replace(
            _options(overwrite, overrides, by, records, report, identity),
            fill=fill,
            deidentify_headers=deidentifyHeaders,
            pseudonym_key=None if pseudonymKey is None else str(pseudonymKey),
            shift_dates=shiftDates,
            keep_private=keepPrivate,
            mask_seg=maskSeg,
            ears=node_export.ears_wanted(segmentation),
        )
        if newSeries:
            options.require_sound()
            require_apart(volumes.files_of(source, segmentation), folder)
            case = node_export.prepared(source, segmentation, options, slicer.util.arrayFromVolume(volumeNode))
            return [dicom_export.export_new_series(case, folder, options)]
        mask = face_segment.required_mask(source, segmentation)
        return dicom_export.export_instances(source, segmentation, mask, folder, options, wholeStudy, warn)

    def sendDicom(
        self,
        folders: str | Path | Iterable[str | Path],
        address: str,
        port: int,
        calledAET: str,
        callingAET: str = OWN_TITLE,
        records: str | Path | None = None,
        tls: tuple[str | Path, str | Path, str | Path] | None = None,
        timeout: float = 30.0,
    ) -> Sent:
        """Send DICOM series that ``exportDicom`` wrote to a DICOM node, by C-STORE; needs the package pynetdicom.

        Only files leave that the gate released: when the record of a series is missing or does not say so, or any of its
        files was changed, added or taken away since, nothing at all is sent. Nothing of the hospital's folder is sent.

        Parameters: ``folders`` one or several release folders, or folders of series; ``address``, ``port`` and ``calledAET``
        of the node, ``callingAET`` our own AE title; ``records`` the folder of the records (None: that beside the release
        folder); ``tls`` paths of our certificate and key, and of the authority's certificate (PEM); ``timeout`` in s for
        each answer.
        Returns: ``Sent``: ``taken`` files, those ``left`` with why, ``cancelled``. Raises: NotReleased, NotReached,
        InputError, UsageError, MissingPackages, Cancelled; nothing was sent then.
        """
        peer = Peer(address, port, calledAET, callingAET, timeout, None if tls is None else Tls(*map(Path, tls)))
        return dicom_send.send_exported([folders] if isinstance(folders, (str, Path)) else folders, peer, records)

    def exportMask(
        self,
        volumeNode: VolumeNode,
        segmentationNode: SegmentationNode | None,
        path: str | Path,
        overwrite: bool = False,
        masks: str | Path | None = None,
        records: str | Path | None = None,
    ) -> Path:
        """Write the face mask as uint8 (1 = face) on the volume's grid. It shows the shape of the face and is therefore
        never put where the defaced volume lies.

        Parameters: ``path`` of the defaced volume, as for ``exportVolume``: the mask becomes "<name>_facemask" with its
        extension in the folder ``masks`` (None: that of the records, as for ``exportVolume``).
        Returns: the path of the mask. Raises: InputError for another extension than those of ``exportVolume``, or for
        ``masks`` inside the folder of ``path``; OutputError, MaskError.
        """
        file_export.require_extension(path)
        mask = face_segment.required_mask(volumeNode, segmentationNode)
        target = file_export.mask_path(path, masks, records)
        file_export.write_mask(volumeNode, mask, target, Path(path).parent, overwrite)
        return target


def _options(
    overwrite: bool,
    overrides: dict[str, str] | None,
    by: str | None,
    records: str | Path | None,
    report: bool,
    identity: bool,
) -> Options:
    """The ``Options`` that all exports have in common."""
    return Options(
        overwrite=overwrite,
        override=overrides or {},
        by=by,
        report=report,
        identity=identity,
        records=None if records is None else str(records),
    )
