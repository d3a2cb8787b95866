"""The shell command ``cta-deface node``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from ..errors import UsageError
from .batch_command import terminated_as_interrupted
from .exit_codes import DONE, EPILOG
from .wheel_only import require_room

if TYPE_CHECKING:
    from ..node.config import Config


def add_node(commands: argparse._SubParsersAction) -> None:
    node = commands.add_parser(
        "node", help="run a DICOM node: receives studies, defaces them, and sends on what may leave", epilog=EPILOG
    )
    node.add_argument("config", metavar="CONFIG", help="the configuration, a TOML file")
    asked = node.add_mutually_exclusive_group()
    asked.add_argument("--check", action="store_true", help="only read the configuration, and say what is wrong with it")
    asked.add_argument("--status", action="store_true", help="say what the node has, holds and sends, whether it runs or not")
    asked.add_argument(
        "--again", metavar="STUDY", help="deface and send a study again, as a whole; named as --status names it"
    )
    node.add_argument("--json", action="store_true", help="with --status: one JSON object")
    node.add_argument("--quiet", action="store_true", help="no log on stderr")
    node.set_defaults(action=node_command)


def node_command(args: argparse.Namespace) -> int:
    """Exit code 0, also when the node was stopped by Ctrl-C or SIGTERM."""
    require_room("node", "node")
    from ..node.config import read_config
    from ..node.logs import NodeLog

    config = read_config(args.config)
    if args.check:
        print(f"{args.config}: is sound.")
        return DONE
    if args.status:
        from ..node.node_status import lines_of, status_of

        status = status_of(config)
        print(json.dumps(status.as_dict()) if args.json else "\n".join(lines_of(status)))
        return DONE
    if args.again:
        return _again(config, args.again)
    from ..node.service import serve

    try:
        with terminated_as_interrupted():
            serve(config, NodeLog(args.quiet))
    except KeyboardInterrupt:
        pass
    return DONE


def _again(config: Config, study: str) -> int:
    """Ask the node, which may run or not, for a study once more. Raises: UsageError for one that it does not know."""
    from ..node.ledger import Ledger

    ledger = Ledger(config.folder)
    try:
        if not ledger.ask_again(study):
            raise UsageError(f"--again {study}: the node has no such study; --status lists those that are held.")
    finally:
        ledger.close()
    print(f"{study}: will be defaced and sent again, as a whole.")
    return DONE
