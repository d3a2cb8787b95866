"""The shell command ``cta-deface series``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from .exit_codes import DONE, INPUT

if TYPE_CHECKING:
    from ..dicom.reading.input_files import Source

COLUMNS = ("number", "kind", "plane", "images", "size", "pixel_mm", "series_number", "description", "problem")
HEADINGS = ("NUMBER", "KIND", "PLANE", "IMAGES", "SIZE", "PIXEL MM", "SERIES NO.", "DESCRIPTION", "REMARK")


def add_series(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("series", help="list the series of a DICOM folder with what they are")
    parser.add_argument("folder", metavar="FOLDER", help="folder with DICOM files, searched with its sub-folders")
    parser.add_argument("--json", action="store_true", help="one JSON object per series on stdout")
    parser.set_defaults(action=series_command)


def series_command(args: argparse.Namespace) -> int:
    """Exit code 0 when there is a series that can be defaced, else that of a bad input."""
    rows = listing(args.folder)
    if args.json:
        print("\n".join(json.dumps(row) for row in rows), flush=True)
    else:
        table = [HEADINGS, *([_text(row[column]) for column in COLUMNS] for row in rows)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), flush=True)
    return DONE if any(row["can_be_defaced"] for row in rows) else INPUT


def listing(source: Source) -> list[dict]:
    """One dict per series of ``source``: what ``describe`` says, ``can_be_defaced``, and the ``problem`` if it cannot."""
    from ..dicom.reading.dicom_packages import no_values_in_warnings
    from ..dicom.reading.series import describe, find_series
    from ..dicom.reading.series_kinds import DEFACEABLE
    from ..dicom.reading.stack import stack_of
    from ..errors import InputError

    rows = []
    with no_values_in_warnings():
        found = find_series(source)
    for series in found.series:
        row = describe(series)
        row["can_be_defaced"] = series.kind in DEFACEABLE
        if row["can_be_defaced"]:
            try:
                stack = stack_of(series)
                row |= {"slice_mm": round(float(abs(stack.step @ stack.normal)), 3), "tilt_deg": round(stack.tilt_deg, 1)}
            except InputError as error:
                row |= {"can_be_defaced": False, "problem": str(error)}
        rows.append(row)
    return rows


def _text(value: object) -> str:
    if isinstance(value, list):
        return " x ".join(f"{x:g}" for x in value)
    return "" if value is None else str(value)
