"""The shell command ``cta-deface batch``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import UsageError
from .engine_options import add_engine_options, add_header_options, add_private_option, add_seg_option, options_of
from .exit_codes import EPILOG, STOPPED, code_of, hint
from .progress_bar import ProgressBar

if TYPE_CHECKING:
    from ..batch.choice import Choice
    from ..batch.cluster import Cluster


def add_batch(commands: argparse._SubParsersAction) -> None:
    batch = commands.add_parser("batch", help="deface all volumes of a folder; continues where it was stopped", epilog=EPILOG)
    batch.add_argument("input", metavar="IN", help="folder tree of volume files and DICOM studies, or a BIDS dataset")
    batch.add_argument(
        "output",
        metavar="OUT",
        help="folder of the results; the manifest, an overview page and a table lie in the hospital's folder, "
        "<OUT>-hospital-only",
    )
    add_choice_options(batch)
    batch.add_argument("--retry-failed", action="store_true", help="run failed and blocked cases again")
    batch.add_argument("--mask-only", action="store_true", help="write only the face masks")
    add_header_options(batch)
    add_private_option(batch)
    add_seg_option(batch)
    # Else it would be taken for an abbreviation of --keep-private.
    batch.add_argument("--keep", action="append", help=argparse.SUPPRESS)
    batch.add_argument(
        "--scheduler",
        metavar="ADDRESS|local",
        help="run the cases on a Dask cluster, or on one worker per core of this machine (needs Dask)",
    )
    batch.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="NAME=AMOUNT",
        help="what each case takes of the --resources of a Dask worker, as GPU=1",
    )
    batch.add_argument(
        "--retries",
        type=int,
        default=2,
        metavar="N",
        help="on a cluster, how often a case that failed by no fault of its own is tried again (default 2)",
    )
    add_engine_options(batch)
    batch.set_defaults(action=batch_command)


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Which cases are taken, and what their results are called."""
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="take only cases whose path below IN, or a folder on it, matches, as 'site-1/**/*.nrrd' (* stays within a name, "
        "** crosses folders, a GLOB without / matches any name on the path); may be given again",
    )
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave out cases that match, likewise")
    parser.add_argument(
        "--names",
        choices=("numbered", "plain"),
        help="what results of volume files are called: case-0001 and so on, in one folder, so that no name is given away "
        "(default, except in BIDS datasets, which keep their names), or as IN calls files and folders",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and write nothing")


def batch_command(args: argparse.Namespace) -> int:
    """Exit code 0 when every case is done, else that of the most serious, also of earlier runs; 130 when it was stopped."""
    from ..batch.choice import Choice
    from ..batch.run_batch import run_batch

    if args.keep:
        raise UsageError("--keep: a structure belongs to one scan; deface that one with cta-deface run --keep.")
    # A file name that the terminal cannot show must not stop the batch.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    choice = Choice(tuple(args.include), tuple(args.exclude), args.names)
    if args.dry_run:
        return _dry_run(args, choice)
    bar = ProgressBar("batch", args.quiet)
    try:
        with terminated_as_interrupted():
            summary = run_batch(
                args.input,
                args.output,
                options_of(args),
                retry_failed=args.retry_failed,
                engine=engine_of(args),
                show=bar.show,
                told=bar.apart(teller(args)),
                warn=_warn,
                choice=choice,
            )
    except KeyboardInterrupt:
        bar.close()
        print("cta-deface: stopped; the same command continues.", file=sys.stderr)
        return STOPPED
    finally:
        bar.close()
    print(json.dumps({"summary": summary.as_dict()}) if args.json else "\n".join(summary.lines()), flush=True)
    return code_of(summary.faults)


def _dry_run(args: argparse.Namespace, choice: Choice) -> int:
    """Print what would be done, a case a line; exit code 0."""
    from ..batch.dry_run import dry_run

    would = total = 0
    for case in dry_run(args.input, args.output, options_of(args), args.retry_failed, choice, _warn):
        print(json.dumps(case.as_dict()) if args.json else case.line(), flush=True)
        would, total = would + (case.why_not is None), total + 1
    said = {"would_run": would, "would_not_run": total - would}
    print(json.dumps({"dry_run": said}) if args.json else f"Would run: {would}, would not: {total - would}.", flush=True)
    return 0


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def engine_of(args: argparse.Namespace) -> Cluster | None:
    """The cluster that was asked for, or None."""
    if not args.scheduler:
        if args.resource:
            raise UsageError("--resource: is only for --scheduler; give both, or none of them.")
        return None
    from ..batch.cluster import Cluster

    resources: dict[str, float] = {}
    for text in args.resource:
        name, _sign, amount = text.partition("=")
        try:
            resources[name.strip()] = float(amount)
        except ValueError:
            raise UsageError(f"--resource {text}: give NAME=AMOUNT, as in --resource GPU=1.") from None
    return Cluster(args.scheduler, resources, args.retries)


def teller(args: argparse.Namespace) -> Callable[[dict], None]:
    """A function that prints what became of a case: every case as JSON, or those that went wrong or left with a warning."""
    from ..batch.manifest import BLOCKED, DEFACED, LEFT_OUT

    def tell(entry: dict) -> None:
        if args.json:
            print(json.dumps(entry), flush=True)
        elif entry["error"]:
            print(f"{entry['status'].upper()} {entry['error']}", flush=True)
            kept = [entry[what] for what in ("mask", "record") if entry["status"] == BLOCKED and entry[what]]
            if kept:
                print(f"  In the hospital's folder: {', '.join(kept)}", flush=True)
            if said := hint(entry["fault"], args):
                print(f"  {said}", flush=True)
        elif entry["status"] == LEFT_OUT:
            print(f"LEFT OUT {'; '.join(entry['not_defaced'])}", flush=True)
        elif entry.get("warned_checks") and entry["status"] == DEFACED:
            print(f"WARNED {entry['case']}: {', '.join(entry['warned_checks'])}", flush=True)

    return tell


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, with which job schedulers end a job, stop a batch as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
