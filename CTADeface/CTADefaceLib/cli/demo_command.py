"""The shell command ``cta-deface demo``."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from .engine_options import add_engine_options, options_of
from .exit_codes import code_of
from .printed_result import print_result
from .run_command import run_one


def add_demo(commands: argparse._SubParsersAction) -> None:
    demo = commands.add_parser("demo", help="deface one head and draw it before and after")
    demo.add_argument("input", nargs="?", metavar="INPUT", help="default: the public InVesalius cranium CT")
    demo.add_argument(
        "-o",
        "--output",
        default="cta-deface-demo",
        metavar="DIR",
        help="folder that gets release/, which can be given away, and hospital-only/ (default: cta-deface-demo)",
    )
    add_engine_options(demo, hospital="<DIR>/hospital-only")
    demo.set_defaults(action=demo_command)


def demo_command(args: argparse.Namespace) -> int:
    """Deface one head, the public one by default, and draw it before and after."""
    from ..release.report import need_pictures

    # Before the public head is fetched.
    need_pictures()
    options = options_of(args)
    path = Path(args.input) if args.input else _public_head()
    # Apart, so that nothing in the folder that is given away ever shows the original face.
    hospital = Path(options.records or Path(args.output) / "hospital-only")
    args.output = str(Path(args.output) / "release")
    result = run_one(path, args, replace(options, records=str(hospital), picture=True), {})
    print_result(result, args)
    if not result.defaced:
        return code_of([result.fault])
    print(f"face mask: {result.mask}\nrecord: {result.record}", flush=True)
    if result.picture:
        print(f"before and after (shows the original face, not for release): {result.picture}")
    return code_of([result.fault])


def _public_head() -> Path:
    from ..files.public_head import LICENCE, public_head

    print(f"Example: {LICENCE}", file=sys.stderr)
    return public_head()
