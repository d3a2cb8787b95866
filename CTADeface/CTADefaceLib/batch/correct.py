"""A person's decision about a case of the queue, carried out in its files: corrected again, or taken out."""

import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..case import Options, deface_file
from ..errors import InputError
from ..files.read import split_extension
from ..files.write import write_new
from .find import find_case, places
from .kinds import arguments_of_case
from .review import CORRECTED, REJECTED, manifest_at, mark

MODELS_OWN = "_model"


def correct(manifest, item, mask, geometry, override=None, by=None, progress=None, warn=lambda text: None):
    """Deface a case again, in place, with the mask of a person; returns the ``Item`` as it is then.

    The corrected mask replaces the one of the case, of which a copy, "<name>_model", is kept to measure the edits.
    Parameters: ``manifest`` the file, or its folder; ``mask`` bool (k, j, i) on ``geometry``, which must be the
    input's; ``override`` failed check -> reason, ``by`` whom.
    Raises: ChecksFailed (the case is then as before), MaskError for another grid, InputError, OutputError.
    """
    if item.kind != "file":
        raise InputError(f"{item.case}: is a DICOM study; run it again with --mask and the corrected mask.")
    manifest = manifest_at(manifest)
    where, fill = batch_of(manifest)
    case = find_case(where, item.case)
    wanted = Options(fill=fill, override=override or {}, by=by, overwrite=True)
    source, target, options = arguments_of_case(case, where, wanted)
    if item.mask is not None:
        options = replace(options, masks=str(item.mask.parent))
    with tempfile.TemporaryDirectory(dir=_made(where.hospital), prefix="correction-") as folder:
        given = Path(folder) / "mask.nii.gz"
        write_new(mask.astype("uint8"), geometry, given)
        options = replace(options, mask=str(given), **_proposal(item))
        result = deface_file(source, target, options, progress, warn)
    return mark(manifest.path, item, CORRECTED, by, [result.defaced], result.mask, result.record)


def reject(manifest, item, by=None):
    """Mark a case as rejected and delete what was released of it; the original is not touched. Returns the ``Item``."""
    for path in item.outputs:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return mark(manifest, item, REJECTED, by, outputs=[])


def record_of(item):
    """The JSON record of an ``Item`` as a dict, empty when there is none that can be read."""
    with suppress(OSError, ValueError, TypeError):
        return json.loads(Path(item.record).read_text(encoding="utf-8"))
    return {}


def batch_of(manifest):
    """(``Places`` of the batch, its fill) of a ``Manifest``. Raises: InputError."""
    header, _entries, _damaged = manifest.read()
    if header is None:
        raise InputError(f"{manifest.path}: is no manifest of a batch; give the folder <output>-hospital-only.")
    where = places(manifest.resolved(header["input"]), manifest.resolved(header["output"]), manifest.path.parent)
    return where, header["fill"]


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _proposal(item):
    """Options that tell what the model had proposed; the first correction keeps a copy of its mask."""
    if item.mask is None or not item.mask.is_file():
        return {}
    stem, extension = split_extension(item.mask)
    kept = item.mask.with_name(stem + MODELS_OWN + extension)
    if not kept.exists():
        shutil.copyfile(item.mask, kept)
    return {"proposal": str(kept), "proposed_by": record_of(item).get("model")}
