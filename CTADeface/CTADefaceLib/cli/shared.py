"""What subcommands share: options, progress on the terminal, and the line that tells a result."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CTADefaceError

if TYPE_CHECKING:
    from ..cases.options import Options
    from ..cases.result import Result
    from ..progress import Progress, Report

DEVICES = ("auto", "cpu", "cuda", "mps")


def add_private_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-private",
        action="store_true",
        help="DICOM: keep private elements, which may hold the face in another form; the files then do "
        "not claim that it is gone",
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME|FOLDER", help="installed model or model folder (default: bundled)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="default: cpu")
    parser.add_argument(
        "--fill",
        default="levelled",
        metavar="levelled|percentile|published|air|NUMBER",
        help="default levelled: also what lies in front of the face, so that the skin cannot be found "
        "again; the others are reversible: 10th percentile without padding, exactly as published, "
        "-1000 HU, or HU",
    )
    parser.add_argument("--ears", action="store_true", help="also remove both ears, down to the sides of the head")
    parser.add_argument("--mirroring", action="store_true", help="test-time mirroring: slower, slightly smoother")
    parser.add_argument("--step-size", type=float, default=0.5, help="sliding window step in patches (default 0.5)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="let a failed check pass; the reason goes into the record",
    )
    parser.add_argument("--by", metavar="NAME", help="who overrides (default: the user of this computer)")
    parser.add_argument(
        "--records",
        metavar="DIR",
        help="folder of the records, outside of the results' folder (default: beside it, <DIR>-hospital-only)",
    )
    parser.add_argument(
        "--masks",
        metavar="DIR",
        help="folder of the masks, which show the face, outside of the results' folder (default: that of the records)",
    )
    parser.add_argument("--record-names", action="store_true", help="keep file names in the record")
    parser.add_argument(
        "--identity",
        action="store_true",
        help="also check face detection and recognition (slow; optional packages, see cta-deface identity)",
    )
    parser.add_argument("--report", action="store_true", help="a report with pictures beside the record (needs vtk)")
    parser.add_argument("--json", action="store_true", help="one JSON object per result on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def options_of(args: argparse.Namespace) -> Options:
    from ..cases.options import Options
    from ..filling.fill import parse_fill

    return Options(
        model=args.model,
        device=args.device,
        fill=parse_fill(args.fill),
        mask=getattr(args, "mask", None),
        mask_only=getattr(args, "mask_only", False),
        ears=args.ears,
        second_opinion=getattr(args, "second_opinion", True),
        overwrite=args.overwrite,
        mirroring=args.mirroring,
        step_size=_step_size(args.step_size),
        override=_overrides(args.override),
        by=args.by,
        records=args.records,
        masks=args.masks,
        report=args.report,
        identity=args.identity,
        record_names=args.record_names,
        series=getattr(args, "series", None),
        deidentify_headers=getattr(args, "deidentify_headers", False),
        keep_private=getattr(args, "keep_private", False),
        keep=tuple(getattr(args, "keep", None) or ()),
    )


def _overrides(given: list[str]) -> dict[str, str]:
    """Check -> reason from the shell's CHECK=REASON."""
    from ..checks.check import checked_overrides

    pairs = [text.partition("=") for text in given]
    if any(not sign for _name, sign, _reason in pairs):
        raise CTADefaceError("--override: give CHECK=REASON, as in --override chin='outside the field of view'.")
    return checked_overrides({name.strip(): reason.strip() for name, _sign, reason in pairs})


def _step_size(value: float) -> float:
    if not 0 < value <= 1:
        raise CTADefaceError(f"--step-size {value}: must be above 0 and at most 1.")
    return value


def require_room(room: str, command: str) -> None:
    """Raise when a part of the library is not there: Slicer's extension comes without training and validation."""
    if importlib.util.find_spec(f"{__package__.rpartition('.')[0]}.{room}") is None:
        raise CTADefaceError(f"cta-deface {command}: is not part of the Slicer extension; pip install cta-deface.")


def guarded(
    path: str | Path, args: argparse.Namespace, work: Callable[[Progress, Callable[[str], None]], list[Result]]
) -> list[Result]:
    """What ``work(progress, warn)`` returns, or one ``Result`` that says what went wrong."""
    from ..cases.result import failure

    bar = ProgressBar(Path(path).name, args.quiet)
    try:
        return work(bar.progress, lambda text: print(text, file=sys.stderr))
    except Exception as error:
        return [failure(path, error)]
    finally:
        bar.close()


def print_result(result: Result, as_json: bool) -> None:
    if as_json:
        line = json.dumps(result.as_dict())
    elif result.status == "blocked":
        line = f"BLOCKED {result.error} Record: {result.record}"
    elif result.error:
        line = f"FAILED {result.error}"
    elif result.reason:
        line = f"{result.input}: {result.status}: {result.reason}"
    else:
        how = f"face {result.mask_ml:.0f} ml, {result.given_mask or result.model}"
        how += f", {result.device}" if result.device else ""
        line = f"{result.input}: {result.status} -> {result.defaced or result.mask} ({how}, {result.seconds:.1f} s)"
    print(line, flush=True)
    if not as_json and result.defaced:
        for said in warnings_of(result):
            print(said, flush=True)


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


class ProgressBar:
    """tqdm on stderr, fed by a ``Progress``."""

    def __init__(self, name: str, quiet: bool, stages: dict[str, float] | None = None) -> None:
        from tqdm import tqdm

        from ..progress import Progress

        self._bar = tqdm(
            total=100, desc=name, disable=quiet, file=sys.stderr, bar_format="{desc}: {percentage:3.0f}%|{bar}| {postfix}"
        )
        self.progress = Progress(self.show, stages)

    def show(self, report: Report) -> None:
        left = "" if report.seconds_left is None else f", {report.seconds_left:.0f} s left"
        self._bar.set_postfix_str(report.stage + left, refresh=False)
        self._bar.update(report.fraction * 100 - self._bar.n)

    def close(self) -> None:
        self._bar.close()
