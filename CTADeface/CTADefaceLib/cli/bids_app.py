"""The command ``cta-deface-bids``: a batch of a BIDS dataset, with the arguments of a BIDS App."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Iterable

from .. import __version__
from ..errors import InputError, UsageError
from .batch_command import batch_command
from .closed_pipe import outlive_readers
from .engine_options import add_engine_options, options_of
from .exit_codes import EPILOG
from .main import carry_out
from .parser import Parser

MOST_NAMED = 20


def build_parser() -> Parser:
    parser = Parser(
        prog="cta-deface-bids",
        description="Remove the face from the head CTs (*_ct, *_cta) of a BIDS dataset; the same command continues.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("input", metavar="BIDS_DIR", help="the dataset: the folder that holds dataset_description.json")
    parser.add_argument(
        "output",
        metavar="OUTPUT_DIR",
        help="folder of the derivative dataset, which is given away; masks and records lie outside of it, see --hospital",
    )
    parser.add_argument("level", metavar="participant", type=_level, help="each CT by itself; there is no level 'group'")
    parser.add_argument(
        "--participant-label",
        "--participant_label",
        nargs="+",
        action="extend",
        default=[],
        metavar="LABEL",
        help="only these participants, with or without 'sub-' (default: all)",
    )
    parser.add_argument(
        "--session-label",
        "--session_label",
        nargs="+",
        action="extend",
        default=[],
        metavar="LABEL",
        help="only these sessions, with or without 'ses-' (default: all)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and write nothing")
    parser.add_argument("--retry-failed", action="store_true", help="run failed and blocked cases again")
    add_engine_options(parser)
    # What only ``cta-deface batch`` offers.
    parser.set_defaults(action=bids_command, scheduler=None, resource=[], retries=0, exclude=[], names=None, keep=None)
    return parser


def _level(given: str) -> str:
    if given != "participant":
        raise argparse.ArgumentTypeError(f"'{given}': there is nothing to compute but for each participant; give participant")
    return given


def bids_command(args: argparse.Namespace) -> int:
    """Exit code of the batch. Raises: InputError when there is no BIDS dataset; UsageError for a label without any CT."""
    from ..batch.find import find_cases, places
    from ..files.bids import is_bids

    options = options_of(args)
    where = places(args.input, args.output, options.records, options.masks)
    if not is_bids(where.source):
        raise InputError(
            f"{where.source}: has no dataset_description.json with a BIDSVersion; give the top folder of a BIDS dataset, or "
            "use cta-deface batch for other folders."
        )
    args.include = []
    if args.participant_label or args.session_label:
        cases = find_cases(where, [options.masks] if options.masks else [])[0]
        folders = chosen_folders((case.id for case in cases), args.participant_label, args.session_label)
        # With a slash, so that the name is looked for at the top only.
        args.include = [f"/{glob.escape(folder)}" for folder in folders]
    return batch_command(args)


def chosen_folders(cases: Iterable[str], participants: Iterable[str], sessions: Iterable[str]) -> list[str]:
    """The folders 'sub-01' or 'sub-01/ses-1' of a dataset that labels choose; no labels of a kind choose all of that kind.

    Parameters: ``cases``: paths of its CTs, relative to it, with '/'. Raises: UsageError for a label without any CT.
    """
    found = dict.fromkeys((parts[0], parts[1]) for parts in (path.split("/") for path in cases) if len(parts) > 1)
    subjects = _known("participant", "sub-", participants, (subject for subject, _folder in found))
    there = [(subject, folder) for subject, folder in found if not subjects or subject in subjects]
    wanted = _known("session", "ses-", sessions, (folder for _subject, folder in there if folder.startswith("ses-")))
    if not wanted:
        return subjects
    for subject in subjects:
        if not any((subject, session) in found for session in wanted):
            print(f"{subject}: has no CT of {', '.join(wanted)}; nothing is done for it.", file=sys.stderr)
    return ["/".join(pair) for pair in there if pair[1] in wanted]


def _known(what: str, prefix: str, labels: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names of folders that ``labels`` mean. Raises: UsageError for one that is not ``known``."""
    names = list(dict.fromkeys(prefix + label.rstrip("/").removeprefix(prefix) for label in labels))
    known = sorted(set(known))
    for name in names:
        if name not in known:
            more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
            there = f"choose among {', '.join(known[:MOST_NAMED])}{more}" if known else f"there is no {what} with a CT"
            raise UsageError(f"--{what}-label {name.removeprefix(prefix)}: the dataset holds no CT of {name}; {there}.")
    return names


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code, which is that of ``cta-deface batch``."""
    return carry_out(build_parser().parse_args(argv))


def command() -> None:
    # As for ``cta-deface``.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    outlive_readers()
    sys.exit(main())


if __name__ == "__main__":
    command()
