"""The options that commands which deface have in common, and the ``Options`` made of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CTADefaceError, UsageError
from ..network.model_run import DEVICES

if TYPE_CHECKING:
    from ..cases.options import Options


DEVICE_HELP = "where the network runs (default: cpu); auto: cuda, else mps, where this machine has it, else cpu"


def add_private_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-private",
        action="store_true",
        help="DICOM: keep private elements, which may hold the face in another form; the files then do "
        "not claim that it is gone",
    )


def add_header_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deidentify-headers",
        action="store_true",
        help="DICOM: also clean the headers (Basic Profile of PS3.15, by the package dicom-anonymizer), and give each patient "
        "a pseudonym that stays",
    )
    parser.add_argument(
        "--pseudonym-key",
        metavar="FILE",
        help="with --deidentify-headers: the secret key of the pseudonyms; the same key gives a patient the same pseudonym in "
        "every run (default: uids.key in the folder of the records, made there when it is missing)",
    )
    parser.add_argument(
        "--shift-dates",
        action="store_true",
        help="with --deidentify-headers: keep dates, each patient's moved by 1 to 3650 days into the past, so that intervals "
        "stay (default: dates are removed)",
    )


def add_seg_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask-seg",
        action="store_true",
        help="DICOM: also write the face mask as a DICOM SEG on the original slices, beside the mask, for the hospital only "
        "(needs highdicom)",
    )


def add_engine_options(
    parser: argparse.ArgumentParser,
    hospital: str = "<DIR>-hospital-only beside it, its BIDS dataset or the release around it",
) -> None:
    """The options of every command that defaces; ``hospital`` says where the hospital's folder lies by default."""
    parser.add_argument("--model", metavar="NAME|FOLDER", help="installed model or model folder (default: bundled)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help=DEVICE_HELP)
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
    parser.add_argument(
        "--strict",
        action="store_true",
        help="a check that warns stops the export as a failed one does; --override lets it pass",
    )
    parser.add_argument("--by", metavar="NAME", help="who overrides (default: the user of this computer)")
    parser.add_argument(
        "--hospital",
        metavar="DIR",
        help="folder for all that stays in the hospital: masks, records, reports, manifest; outside of the results' folder "
        f"(default: {hospital})",
    )
    parser.add_argument("--records", metavar="DIR", help="another word for --hospital")
    parser.add_argument("--masks", metavar="DIR", help="folder of the masks alone, which show the face (default: --hospital)")
    parser.add_argument("--record-names", action="store_true", help="keep file names in the record")
    parser.add_argument(
        "--identity",
        action="store_true",
        help="also check face detection and recognition (slow; optional packages, see cta-deface identity)",
    )
    parser.add_argument("--report", action="store_true", help="a report with pictures beside the record (needs vtk)")
    parser.add_argument(
        "--picture", action="store_true", help="a picture before and after beside the record, which shows the face (needs vtk)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per result on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr, only warnings and errors")


def options_of(args: argparse.Namespace) -> Options:
    """The ``Options`` of a command. Raises: UsageError."""
    try:
        return _options_of(args)
    except CTADefaceError as error:
        raise UsageError(str(error)) from None


def _options_of(args: argparse.Namespace) -> Options:
    from ..cases.options import Options
    from ..filling.fill import parse_fill
    from ..network.model_run import checked_step_size

    return Options(
        model=args.model,
        device=args.device,
        fill=_named("--fill", parse_fill, args.fill),
        mask=getattr(args, "mask", None),
        mask_only=getattr(args, "mask_only", False),
        ears=args.ears,
        second_opinion=getattr(args, "second_opinion", True),
        strict=args.strict,
        overwrite=args.overwrite,
        mirroring=args.mirroring,
        step_size=checked_step_size(args.step_size, "--step-size"),
        override=_overrides(args.override),
        by=args.by,
        records=_hospital(args),
        masks=args.masks,
        report=args.report,
        picture=args.picture,
        identity=args.identity,
        record_names=args.record_names,
        series=getattr(args, "series", None),
        deidentify_headers=getattr(args, "deidentify_headers", False),
        keep_private=getattr(args, "keep_private", False),
        pseudonym_key=getattr(args, "pseudonym_key", None),
        shift_dates=getattr(args, "shift_dates", False),
        mask_seg=getattr(args, "mask_seg", False),
        keep=tuple(getattr(args, "keep", None) or ()),
    )


def _overrides(given: list[str]) -> dict[str, str]:
    """Check -> reason from the shell's CHECK=REASON."""
    from ..checks.check import checked_overrides

    pairs = [text.partition("=") for text in given]
    if any(not sign for _name, sign, _reason in pairs):
        raise UsageError("--override: give CHECK=REASON, as in --override chin='outside the field of view'.")
    return _named("--override", checked_overrides, {name.strip(): reason.strip() for name, _sign, reason in pairs})


def _named(option: str, parse: Callable[[Any], Any], value: Any) -> Any:
    """``parse(value)``; what it raises names the option."""
    try:
        return parse(value)
    except CTADefaceError as error:
        raise UsageError(f"{option} {error}") from None


def _hospital(args: argparse.Namespace) -> str | None:
    """The folder of records, and of masks where they have none of their own."""
    if args.hospital and args.records and Path(args.hospital).resolve() != Path(args.records).resolve():
        raise UsageError(f"--hospital {args.hospital}: --records names another folder for the same; give one of the two.")
    return args.hospital or args.records
