"""The shell command ``cta-deface mercure``, which mercure calls in a container."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import UsageError
from .exit_codes import DONE, EPILOG
from .wheel_only import require_room

IN, OUT = "MERCURE_IN_DIR", "MERCURE_OUT_DIR"


def add_mercure(commands: argparse._SubParsersAction) -> None:
    mercure = commands.add_parser(
        "mercure",
        help="deface a study as a module of the orchestrator mercure",
        description=f"""Deface a study as a module of the orchestrator mercure, which sets the variables of the environment:
  {IN}   folder of the study and of task.json
  {OUT}  folder that gets the defaced files, all or none
Settings of the module in mercure:
  hospital         folder for masks and records, outside of both
  and the options of a release in the configuration of cta-deface node, as deidentify_headers""",
        epilog=EPILOG,
    )
    mercure.set_defaults(action=mercure_command)


def mercure_command(_args: argparse.Namespace) -> int:
    """Exit code 0 when all series that can be defaced were; mercure takes any other for an error."""
    require_room("node", "mercure")
    from ..node.mercure import run_module

    for name in (IN, OUT):
        if not Path(os.environ.get(name) or "-").is_dir():
            raise UsageError(f"{name}: names no folder; this command is for modules of mercure, which sets it.")
    results = run_module(Path(os.environ[IN]), Path(os.environ[OUT]), lambda text: print(text, file=sys.stderr))
    for result in results:
        print(f"{result.input}: {result.status}{': ' + result.reason if result.reason else ''}", flush=True)
    return DONE
