"""Carries out a person's decision about a case of the queue: defaced again with a corrected mask, or taken out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..cases.options import Options
from ..cases.result import Result
from ..cases.volume_file import deface_file
from ..errors import InputError, OutputError
from ..files.bids import is_bids
from ..files.publish import output_paths, publication, publishing
from ..files.read import read_volume, split_extension
from ..files.storage.journal import Publication
from ..files.storage.private import private_file
from ..files.write import write_new_mask
from ..network.host import Networks, NetworksHere
from ..progress import Progress
from ..voxels.images import mask_on_grid
from ..voxels.kept import Structure
from ..voxels.volume import Geometry, Volume
from .case_kinds import arguments_of_case
from .find import Case, Places, find_case, places
from .input_stamp import stamp_of
from .manifest import Manifest
from .numbering import RELEASED_AS
from .one_kind import MASK_SEG
from .pseudonym_key import options_of_batch
from .review_queue import CORRECTED, REJECTED, Item, manifest_at, mark
from .stored_structures import stored_structures

if TYPE_CHECKING:
    import numpy as np

    from ..dicom.deface_series import PersonsMask

MODELS_OWN = "_model"
_networks = NetworksHere()


def correct(
    manifest: str | Path,
    item: Item,
    mask: np.ndarray,
    geometry: Geometry,
    override: dict[str, str] | None = None,
    by: str | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda text: None,
    keep: Sequence[Structure] | None = None,
    networks: Networks | None = _networks,
) -> Item:
    """Deface a case again, in place, with the mask of a person; returns the updated ``Item``.

    The corrected mask replaces the one of the case, of which a copy, "<name>_model", is kept to measure the edits. What
    was released before of a series that is not released now is deleted, because a person has found it wrong; the
    item's ``error`` names it.
    Parameters: ``manifest`` the file, or its folder; ``mask`` bool (k, j, i) on ``geometry``, which must be the
    input's; ``override`` failed check -> reason, ``by`` whom; ``keep`` structures on the same grid that are not filled
    (None: those of the case); ``networks`` the models that are asked about a mask that did not begin with a model's (None:
    nobody is asked).
    Raises: ChecksFailed (the case is then as before), MaskError for another grid, InputError, also when the structures of the
    case are not stored, OutputError.
    """
    noted = manifest_at(manifest)
    where, fill = batch_of(noted)
    wanted = Options(
        fill=fill,
        override=override or {},
        by=by,
        overwrite=True,
        second_opinion=networks is not None,
        **_as_before(item, noted),
        **(_headers_as_before(item, noted, where) if item.kind == "dicom" else {}),
    )
    entry = noted.read()[1][item.case]
    case = _study(item, entry) if item.kind == "dicom" else find_case(where, item.case, entry.get(RELEASED_AS))
    source, target, options = arguments_of_case(case, where, wanted)
    if item.mask is not None:
        options = replace(options, masks=str(item.mask.parent))
    stamp = stamp_of(item.input)
    correct_case = _correct_study if item.kind == "dicom" else _correct_file
    on_grid = Volume(mask, geometry, name=item.case)
    drawn = Drawn(on_grid, kept_structures(item, on_grid) if keep is None else keep)
    results = correct_case(item, source, target, options, drawn, Run(progress, warn, networks))
    done = [result for result in results if result.status == "defaced"]
    outputs = [Path(result.defaced) for result in done if result.defaced is not None]
    # The manifest may have been reached by a link.
    new = {path.resolve() for path in outputs}
    wrong = [path for path in item.outputs if path.resolve() not in new]
    take_out(noted, wrong)
    said = [f"{path.name} was taken out of the release." for path in wrong] + [one.error for one in results if one.error]
    return mark(noted.path, item, CORRECTED, by, outputs, done[0].mask, done[0].record, " ".join(said), stamp)


class Run(NamedTuple):
    """What ``deface_file`` and ``deface_dicom_with`` take last."""

    progress: Progress | None
    warn: Callable[[str], None]
    networks: Networks | None


class Drawn(NamedTuple):
    """What a person wants: a ``mask``, and the structures to ``keep``, on its grid."""

    mask: Volume
    keep: Sequence[Structure]


def _correct_file(item: Item, source: Path, target: Path, options: Options, drawn: Drawn, run: Run) -> list[Result]:
    assert options.records is not None, "as arguments_of_case gives it"
    with publication(Path(options.records), release=options.release) as unfinished:
        given = unfinished.folder / "mask.nii.gz"
        mask, geometry = drawn.mask.stored != 0, drawn.mask.geometry
        write_new_mask(mask, geometry, given)
        keep = [unfinished.folder / f"keep-{number}.nii.gz" for number in range(1, len(drawn.keep) + 1)]
        for path, structure in zip(keep, drawn.keep):
            write_new_mask(structure.whole(mask.shape), geometry, path)
        options = replace(
            options,
            mask=str(given),
            keep=tuple(map(str, keep)),
            keep_names=tuple(structure.name for structure in drawn.keep),
            **_proposal(item),
        )
        return [deface_file(source, target, options, *run)]


def _correct_study(item: Item, source: Path, target: Path, options: Options, drawn: Drawn, run: Run) -> list[Result]:
    """All series of the frame of reference, with the mask of the one that the person looked at."""
    from ..dicom.deface_series import PersonsMask
    from ..dicom.deface_study import deface_dicom_with, require_defaced
    from ..dicom.folders import series_number

    assert item.mask is not None, "as _study requires"
    known = _proposal(item)
    proposal = read_volume(known["proposal"]).as_mask()
    options = replace(options, series=str(series_number(item.mask)))

    def given(volume: Volume) -> PersonsMask:
        return PersonsMask(mask_on_grid(drawn.mask, volume), proposal, known["proposed_by"], kept=drawn.keep)

    return require_defaced(deface_dicom_with(given, source, target, options, *run), item.case, options.override)


def is_strict(manifest: Manifest) -> bool:
    """Does a check that warns stop the cases of this batch, and their corrections too?"""
    return bool((manifest.header() or {}).get("strict", False))


def _as_before(item: Item, manifest: Manifest) -> dict[str, Any]:
    """``Options`` by which a case is held against the same checks as in the batch, and its mask taken as it was made."""
    header, settings = manifest.header() or {}, record_of(item).get("settings", {})
    # How the model was run whose mask the person started from; the record of a case that failed is missing.
    how = {"ears": header.get("ears")} | {key: settings.get(key) for key in ("mirroring", "step_size", "ears")}
    known = {key: value for key, value in how.items() if value is not None}
    identity = record_of(item).get("identity") is not None
    seg = item.kind == "dicom" and bool(header.get(MASK_SEG))
    return {**known, "strict": is_strict(manifest), "identity": identity, "mask_seg": seg}


def _headers_as_before(item: Item, manifest: Manifest, where: Places) -> dict[str, Any]:
    """``Options`` by which a correction brings back nothing that was removed from headers before. Raises: InputError."""
    before = record_of(item).get("settings", {})
    cleaned = before.get("headers_deidentified", True)
    options = {"keep_private": before.get("private_kept", False), "deidentify_headers": cleaned}
    if cleaned:
        options |= {"shift_dates": before.get("dates_moved", False), **options_of_batch(manifest, where)}
    return options


def _study(item: Item, entry: dict) -> Case:
    if item.mask is None or not item.mask.is_file():
        raise InputError(f"{item.case}: has no mask yet that could be corrected; run this study by itself.")
    folder = entry["folder"]
    return Case(item.case, folder, folder, kind="dicom")


def open_case(item: Item) -> tuple[Volume, Volume | None]:
    """(original ``Volume``, mask ``Volume`` on its grid or None) of an ``Item``; for a DICOM study, the series of its mask.

    Raises: InputError when the original cannot be read, MissingPackages.
    """
    mask = read_volume(item.mask) if item.mask is not None else None
    if item.kind == "file":
        return read_volume(item.input), mask
    from ..dicom.folders import series_number
    from ..dicom.reading.read_series import read_stack
    from ..dicom.reading.series import find_series
    from ..dicom.reading.stack import stack_of

    if item.mask is None:
        raise InputError(f"{item.case}: no mask was made of this study, so none of its series can be shown; see its error.")
    number = series_number(item.mask)
    series = next((one for one in find_series(item.input).series if one.number == number), None)
    if series is None:
        raise InputError(f"{item.case}: series {number} is gone; put the originals back.")
    return read_stack(stack_of(series), series.label), mask


def reject(manifest: str | Path, item: Item, by: str | None = None) -> Item:
    """Mark a case as rejected and delete what was released of it; the original is not touched. Returns the ``Item``.

    The decision is noted before anything is deleted: if the run is killed in between, the next one deletes the rest and
    does not release the case again.
    Raises: OutputError.
    """
    noted = manifest_at(manifest)
    item = mark(noted.path, item, REJECTED, by)
    take_out(noted, {*item.outputs, *_lying_there(noted, item)})
    return mark(noted.path, item, REJECTED, by, outputs=[])


def _lying_there(manifest: Manifest, item: Item) -> list[Path]:
    """All that lies where the results of a case go, also what is not noted, as after a correction that was killed."""
    where, entry = batch_of(manifest)[0], manifest.read()[1][item.case]
    if item.kind == "dicom":
        folder = where.target / entry["folder"]
        return sorted(folder.iterdir()) if folder.is_dir() else []
    if RELEASED_AS in entry:
        return [output_paths(item.input, where.target, called=entry[RELEASED_AS])[0]]
    naming = "bids" if is_bids(where.source) else "plain"
    return [output_paths(item.input, where.target / Path(item.case).parent, naming)[0]]


def record_of(item: Item) -> dict:
    """The JSON record of an ``Item`` as a dict, empty when there is none that can be read."""
    if item.record is None:
        return {}
    with suppress(OSError, ValueError):
        return json.loads(item.record.read_text(encoding="utf-8"))
    return {}


def kept_structures(item: Item, grid: Volume) -> tuple[Structure, ...]:
    """The structures that were kept in an ``Item``, on the ``grid`` of its original. Raises: as ``stored_structures``."""
    return stored_structures(item, record_of(item), grid)


def batch_of(manifest: Manifest) -> tuple[Places, str | float]:
    """(``Places`` of the batch, its fill) of a ``Manifest``. Raises: InputError."""
    header = manifest.header()
    if header is None:
        raise InputError(f"{manifest.path}: is no manifest of a batch; give the folder <output>-hospital-only.")
    where = places(manifest.resolved(header["input"]), manifest.resolved(header["output"]), manifest.path.parent)
    return where, header["fill"]


def take_out(manifest: Manifest, paths: Iterable[Path]) -> None:
    """Delete released files and folders, all of them at once. Raises: OutputError."""
    try:
        with Publication(manifest.path.parent) as change:
            for path in paths:
                change.remove(path)
            change.commit()
    except OSError as error:
        raise OutputError(
            f"{error.filename or manifest.path.parent}: cannot be deleted ({error.strerror}), and must "
            "not be given away: close the program that has it open, and decide again."
        ) from None


def _proposal(item: Item) -> dict:
    """Options for the mask that the person started from, of which the first correction keeps a copy, and for the model that
    proposed it, if one did."""
    if item.mask is None or not item.mask.is_file():
        return {}
    stem, extension = split_extension(item.mask)
    kept = item.mask.with_name(stem + MODELS_OWN + extension)
    if not kept.exists():
        with publishing([kept]) as (staged,):
            shutil.copyfile(item.mask, private_file(staged))
    return {"proposal": str(kept), "proposed_by": record_of(item).get("model")}
