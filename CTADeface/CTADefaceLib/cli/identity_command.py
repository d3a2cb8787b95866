"""The shell command ``cta-deface identity``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, OutputError, UsageError
from ..files.storage.private import private_folder
from .exit_codes import CHECKS, DONE, IDENTITY_EPILOG, NOT_POSSIBLE, WARNED
from .progress_bar import ProgressBar

if TYPE_CHECKING:
    import numpy as np

    from ..identity.identity_check import IdentityResult
    from ..identity.view_result import Detection, ViewResult
    from ..rendering.camera import View
    from ..voxels.volume import Volume

CODES_OF_VERDICTS = {"pass": DONE, "fail": CHECKS, "warn": WARNED, "not possible": NOT_POSSIBLE}
# So much of a filled face is one value; padding, which a fill leaves, and another value for air may be in it.
FILLED_SHARE = 0.9


def add_identity(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "identity", help="is the face still detected and recognised after defacing?", epilog=IDENTITY_EPILOG
    )
    parser.add_argument("before", metavar="BEFORE", help="the original volume")
    parser.add_argument("after", metavar="AFTER", help="the defaced volume")
    parser.add_argument("--mask", required=True, metavar="MASK", help="the face mask that was filled")
    parser.add_argument("--pictures", metavar="DIR", help="write the compared pictures, which show the original face")
    parser.add_argument("--overwrite", action="store_true", help="replace existing pictures")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(action=identity_command)


def identity_command(args: argparse.Namespace) -> int:
    """The exit code tells the verdicts apart (see ``CODES_OF_VERDICTS``)."""
    from ..identity.identity_check import STAGES, identity_check

    folder = picture_folder(args.pictures, args.after) if args.pictures else None
    if folder and not args.overwrite:
        _refuse_pictures(folder)
    before, after, mask = _read(args)
    keep: Callable[[ViewResult, np.ndarray, np.ndarray], None] = PictureWriter(folder) if folder else _keep_nothing
    bar = ProgressBar(Path(args.after).name, args.quiet, STAGES)
    try:
        result = identity_check(
            before.to_hu(before.stored), after.to_hu(after.stored), mask, before.geometry, bar.progress, keep
        )
    finally:
        bar.close()
    content = {"before": args.before, "after": args.after} | result.as_dict()
    print(json.dumps(content) if args.json else "\n".join(table(result)), flush=True)
    if folder:
        print(f"Pictures (they show the original face, not for release): {folder}", file=sys.stderr)
    return CODES_OF_VERDICTS[result.verdict]


def picture_folder(folder: str | Path, after: str | Path) -> Path:
    """``folder`` as a path; ``PlaceError`` when it lies in the folder of the defaced file ``after``, or in another release
    folder."""
    from ..release.hospital_folder import require_outside

    # The file may be a link: both the link's folder and that of the file itself are given away.
    for release in (Path(after).parent, Path(after).resolve().parent):
        require_outside(folder, release, "Pictures")
    return Path(folder).resolve()


def _refuse_pictures(folder: Path) -> None:
    from ..files.publish import refuse_existing
    from ..identity.views import VIEWS

    refuse_existing([picture_path(folder, view) for view in VIEWS], overwrite=False)


def picture_path(folder: Path, view: View | ViewResult) -> Path:
    return folder / f"{view.name.replace(' ', '_')}.png"


def _keep_nothing(_view: ViewResult, _before: np.ndarray, _after: np.ndarray) -> None:
    """Stands for a ``PictureWriter`` where no pictures are asked for."""


class PictureWriter:
    """Writes each view, original left and defaced right, with its boxes: white ones count as the face, black ones do not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            private_folder(folder)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from None

    def __call__(self, view: ViewResult, before: np.ndarray, after: np.ndarray) -> None:
        from ..rendering.pictures import picture_grid, write_png

        pictures = [outlined(*pair) for pair in ((before, view.boxes_before), (after, view.boxes_after))]
        write_png(picture_grid([pictures]), picture_path(self._folder, view))


def outlined(picture: np.ndarray, detections: Iterable[Detection]) -> np.ndarray:
    """A copy of ``picture`` with the outline of each detection."""
    picture = picture.copy()
    for found in detections:
        box = found.box
        rows, columns = (box.top, box.top + box.height - 1), (box.left, box.left + box.width - 1)
        colour = 255 if found.counted else 0
        for row in rows:
            picture[min(row, len(picture) - 1), columns[0] : columns[1] + 1] = colour
        for column in columns:
            picture[rows[0] : rows[1] + 1, min(column, picture.shape[1] - 1)] = colour
    return picture


def _read(args: argparse.Namespace) -> tuple[Volume, Volume, np.ndarray]:
    """(before, after, mask): two ``Volume``s and a bool array on one grid; ``InputError`` or ``MaskError`` if not."""
    from ..files.read import read_volume
    from ..voxels.ct_check import check_ct
    from ..voxels.images import mask_on_grid

    before, after = read_volume(args.before), read_volume(args.after)
    check_ct(before)
    if after.stored.shape != before.stored.shape or not after.geometry.matches(before.geometry):
        raise InputError(
            f"{args.after}: its grid (size, spacing, origin or direction) is not that of {args.before}; "
            "give the volume that was made from it."
        )
    mask = mask_on_grid(read_volume(args.mask), before)
    _require_order(args, before, after, mask)
    return before, after, mask


def _require_order(args: argparse.Namespace, before: Volume, after: Volume, mask: np.ndarray) -> None:
    """Raise ``UsageError`` when the first volume is filled in the mask and the second one is not: they are swapped."""
    from ..voxels.hu import TISSUE_HU

    if not mask.any():
        return
    value, other = _one_value(before, mask), _one_value(after, mask)
    if value is not None and (other is None or value <= TISSUE_HU < other):
        raise UsageError(
            f"{args.before}: has no face, its mask is filled with one value, and {args.after} holds the face: BEFORE and "
            f"AFTER are swapped; give the original first: cta-deface identity {shlex.quote(args.after)} "
            f"{shlex.quote(args.before)} --mask {shlex.quote(args.mask)}"
        )


def _one_value(volume: Volume, mask: np.ndarray) -> float | None:
    """The value in HU that nearly all of the mask has; None where there is no such value."""
    import numpy as np

    values, counts = np.unique(volume.stored[mask > 0], return_counts=True)
    most = counts.argmax()
    return float(volume.to_hu(values[most : most + 1])[0]) if counts[most] >= FILLED_SHARE * counts.sum() else None


def table(result: IdentityResult) -> Iterator[str]:
    """Lines of text: each view, all views, the verdict, how well the method works."""
    yield f"{'view':<18}{'boxes before':>14}{'after':>7}{'face before':>14}{'after':>12}{'distance':>10}"
    for view in result.views:
        yield (
            f"{view.name:<18}{len(view.boxes_before):>14}{len(view.boxes_after):>7}{_width(view.before):>14}"
            f"{_width(view.after):>12}{_number(view.distance):>10}"
        )
    combined = result.as_dict()["combined"]
    yield (
        f"face detected in {combined['detected_before']} of {combined['views']} views before and "
        f"{combined['detected_after']} after; distance median {_number(combined['median_distance'])}, "
        f"least {_number(combined['least_distance'])}"
    )
    yield f"{result.verdict.upper()}: {result.reason}"
    yield result.method


def _width(detection: Detection | None) -> str:
    return "-" if detection is None else f"{detection.width_mm:.0f} mm"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
