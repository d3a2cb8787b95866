"""What the terminal shows of a case when it has ended."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from .exit_codes import hint, how_to_override

if TYPE_CHECKING:
    from ..cases.result import Result


def print_result(result: Result, args: argparse.Namespace) -> None:
    """Print what became of a case: a line of JSON, or lines that a person reads, the first one not indented."""
    if args.json:
        line = json.dumps(result.as_dict())
    elif result.status == "blocked":
        line = f"BLOCKED {result.error}"
    elif result.error:
        line = f"FAILED {result.error}"
    elif result.reason:
        line = f"{result.input}: {result.status}: {result.reason}"
    else:
        how = f"face {result.mask_ml:.0f} ml, {result.given_mask or result.model}"
        how += f", {result.device}" if result.device else ""
        line = f"{result.input}: {result.status} -> {result.defaced or result.mask} ({how}, {result.seconds:.1f} s)"
    print(line, flush=True)
    if not args.json:
        for said in (*_what_to_do(result, args), *(warnings_of(result) if result.defaced else [])):
            print(said, flush=True)


def _what_to_do(result: Result, args: argparse.Namespace) -> list[str]:
    """Lines of text: where a blocked case lies, and the options that help."""
    if result.status == "blocked":
        kept = (("Mask", result.mask), ("Record", result.record))
        lines = [f"{what}, for the hospital only: {path}" for what, path in kept if path]
        lines += how_to_override(result.stopped_by)
    else:
        lines = [said for said in [hint(result.fault, args)] if said]
    return [f"  {line}" for line in lines]


def warnings_of(result: Result) -> list[str]:
    """Lines of text: how many checks warn, and what each says; how many could not be judged. None where all passed."""
    from ..checks.check import SKIP, TITLES, WARN

    warned = [check for check in result.checks if check["verdict"] == WARN]
    # Where another file's mask is held against the model's, nothing is missing.
    unknown = [check for check in result.checks if check["verdict"] == SKIP and check["name"] != "model_face"]
    lines = [f"  WARNING {TITLES[check['name']]}: {check['text']}" for check in warned]
    if unknown:
        lines.append("  NOT JUDGED " + ", ".join(TITLES[check["name"]] for check in unknown) + ".")
    return lines and [
        f"  Checks that warn: {len(warned)}, not judged: {len(unknown)}; look at the mask before release.",
        *lines,
    ]
