"""How the command ends: one table from what was at fault to exit codes, and from there to words and to options that help."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable

from ..errors import CTADefaceError

DONE, BUG, USAGE, CHECKS, INPUT, OUTPUT, MACHINE, STOPPED = 0, 1, 2, 3, 4, 5, 6, 130
# Those of ``identity`` beside DONE and CHECKS.
WARNED, NOT_POSSIBLE = 10, 11

# From ``CTADefaceError.fault`` and ``Result.fault``.
CODES = {
    "usage": USAGE,
    "checks": CHECKS,
    "input": INPUT,
    "output": OUTPUT,
    "exists": OUTPUT,
    "hospital": OUTPUT,
    "machine": MACHINE,
    "stopped": STOPPED,
    "bug": BUG,
}
# The most serious of several cases counts: the last one here.
BY_GRAVITY = (DONE, USAGE, CHECKS, INPUT, OUTPUT, MACHINE, BUG, STOPPED)

MEANINGS = {
    DONE: "all done",
    BUG: "a fault of this program; please report it",
    USAGE: "the command is wrong: unknown or contradicting options, a folder that would give a face away",
    CHECKS: "stopped by checks (with --strict also by one that warns)",
    INPUT: "bad input: a file, mask or model cannot be used, or shows no face; no series of a study could be defaced",
    OUTPUT: "results, or what stays in the hospital, cannot be written or exist already; a DICOM node has not taken all files",
    MACHINE: "this machine cannot do it: a package, the device, memory or the cluster is missing, or a process died",
    STOPPED: "stopped by Ctrl-C, in a batch also by SIGTERM",
}
EPILOG = "exit codes:\n" + "\n".join(f"  {code:<5}{said}" for code, said in MEANINGS.items())
EPILOG += "\n\nThe most serious of several inputs counts, in this order: " + ", ".join(map(str, reversed(BY_GRAVITY))) + "."
IDENTITY_EPILOG = f"""exit codes:
  {DONE:<5}pass
  {CHECKS:<5}fail: the face is still detected or recognised
  {WARNED:<5}warn: look at the pictures
  {NOT_POSSIBLE:<5}not possible: the face is not found in BEFORE either, so that nothing is known of AFTER

All others are those of cta-deface --help."""


def code_of(faults: Iterable[str | None]) -> int:
    """The exit code of several cases, each named by its fault, None where it has none."""
    return max((CODES.get(fault, BUG) if fault else DONE for fault in faults), key=BY_GRAVITY.index, default=DONE)


def hint(fault: str | None, args: argparse.Namespace) -> str | None:
    """The option of the command that helps, as a sentence, for errors that do not name it themselves."""
    if fault == "exists" and hasattr(args, "overwrite"):
        return "Or give --overwrite to replace it."
    if fault == "hospital" and hasattr(args, "hospital"):
        return "Give --hospital DIR, a folder outside of the one that is given away."
    return None


def how_to_override(checks: Iterable[str]) -> list[str]:
    """Lines with what to add to the command when a person has seen that these checks are mistaken; none for "written_file"."""
    names = list(checks)
    if not names or "written_file" in names:
        return []
    options = " ".join(f'--override {shlex.quote(name)}="reason"' for name in names)
    return ["If you have looked, and all is well, say why, and run it again with:", f"  {options}"]


def said(error: CTADefaceError, args: argparse.Namespace) -> str:
    """What is printed about an error that ends the command."""
    return "\n  ".join(filter(None, [f"cta-deface: {error}", hint(error.fault, args)]))
