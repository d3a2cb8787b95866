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

from ..errors import InputError
from .shared import ProgressBar, add_engine_options, add_private_option, options_of

if TYPE_CHECKING:
    from ..batch.cluster import Cluster


def add_batch(commands: argparse._SubParsersAction) -> None:
    batch = commands.add_parser("batch", help="deface all volumes of a folder; continues where it was stopped")
    batch.add_argument("input", metavar="IN", help="folder tree of volume files and DICOM studies, or a BIDS dataset")
    batch.add_argument(
        "output",
        metavar="OUT",
        help="folder of the results, with the tree of IN; the manifest lies in the folder of the records, <OUT>-hospital-only",
    )
    batch.add_argument("--retry-failed", action="store_true", help="run failed and blocked cases again")
    batch.add_argument("--mask-only", action="store_true", help="write only the face masks")
    batch.add_argument(
        "--deidentify-headers", action="store_true", help="DICOM: also clean the headers (Basic Profile of PS3.15)"
    )
    add_private_option(batch)
    # Else it would be taken for an abbreviation of --keep-private.
    batch.add_argument("--keep", action="append", help=argparse.SUPPRESS)
    batch.add_argument(
        "--scheduler",
        metavar="ADDRESS|local",
        help="run the cases on a Dask cluster, or on one worker per core of this machine (pip install 'cta-deface[cluster]')",
    )
    batch.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="NAME=AMOUNT",
        help="what each case takes of the --resources of a Dask worker, as GPU=1",
    )
    batch.add_argument("--retries", type=int, default=2, help="of a case, on a cluster (default 2)")
    add_engine_options(batch)
    batch.set_defaults(action=batch_command)


def batch_command(args: argparse.Namespace) -> int:
    """Exit code 0 when every case is done, 1 when some are not, 130 when it was stopped."""
    from ..batch.run_batch import run_batch

    if args.keep:
        raise InputError("--keep: a structure belongs to one scan; deface that one with cta-deface run --keep.")
    # A file name that the terminal cannot show must not stop the batch.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
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
                told=teller(args.json),
                warn=lambda text: print(text, file=sys.stderr),
            )
    except KeyboardInterrupt:
        bar.close()
        print("cta-deface: stopped; the same command continues.", file=sys.stderr)
        return 130
    finally:
        bar.close()
    print(json.dumps({"summary": summary.as_dict()}) if args.json else "\n".join(summary.lines()), flush=True)
    return 0 if summary.complete else 1


def engine_of(args: argparse.Namespace) -> Cluster | None:
    """The cluster that was asked for, or None."""
    if not args.scheduler:
        if args.resource:
            raise InputError("--resource: is only for --scheduler; give both, or none of them.")
        return None
    from ..batch.cluster import Cluster

    resources: dict[str, float] = {}
    for text in args.resource:
        name, _sign, amount = text.partition("=")
        try:
            resources[name.strip()] = float(amount)
        except ValueError:
            raise InputError(f"--resource {text}: give NAME=AMOUNT, as in --resource GPU=1.") from None
    return Cluster(args.scheduler, resources, args.retries)


def teller(as_json: bool) -> Callable[[dict], None]:
    """A function that prints what became of a case: every case as JSON, or those that went wrong or left with a warning."""
    from ..batch.manifest import DEFACED

    def tell(entry: dict) -> None:
        if as_json:
            print(json.dumps(entry), flush=True)
        elif entry["error"]:
            print(f"{entry['status'].upper()} {entry['error']}", flush=True)
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
