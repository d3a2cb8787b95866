"""The command ``cta-deface``: run, batch, send, node, mercure, series, models, demo, identity, train, validate."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import CTADefaceError
from .batch_command import add_batch
from .closed_pipe import outlive_readers
from .demo_command import add_demo
from .exit_codes import EPILOG, MACHINE, STOPPED, code_of, said
from .identity_command import add_identity
from .mercure_command import add_mercure
from .models_command import add_models
from .node_command import add_node
from .parser import Parser
from .run_command import add_run
from .send_command import add_send
from .series_command import add_series
from .train_command import add_train
from .validate_command import add_validate

if TYPE_CHECKING:
    from ..network.host import Networks


def build_parser() -> Parser:
    parser = Parser(prog="cta-deface", description="Remove the face from head CT volumes.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_run(commands)
    add_batch(commands)
    add_send(commands)
    add_node(commands)
    add_mercure(commands)
    add_series(commands)
    add_models(commands)
    add_demo(commands)
    add_identity(commands)
    add_train(commands)
    add_validate(commands)
    return parser


def main(argv: list[str] | None = None, networks: Networks | None = None) -> int:
    """Entry point; ``networks`` runs the models of ``run`` (None: in this process).

    Returns the exit code (see ``exit_codes``). Raises: SystemExit for words that the parser does not know.
    """
    args = build_parser().parse_args(argv)
    args.networks = networks
    return carry_out(args)


def carry_out(args: argparse.Namespace) -> int:
    """Do what was parsed, and say what went wrong; returns the exit code (see ``exit_codes``)."""
    try:
        return args.action(args)
    except CTADefaceError as error:
        print(said(error, args), file=sys.stderr)
        return code_of([error.fault])
    except MemoryError:
        print("cta-deface: not enough memory; close other programs or crop the volume to the head.", file=sys.stderr)
        return MACHINE
    except KeyboardInterrupt:
        print("cta-deface: stopped; the case under way was not written.", file=sys.stderr)
        return STOPPED


def command() -> None:
    """Run ``main`` and exit. For ``run``, networks have a process of their own, and Python ends without its shutdown."""
    # One thread inside numpy: every core already works on planes of its own, and small matrices gain nothing from more.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    outlive_readers()
    if sys.argv[1:2] != ["run"]:
        sys.exit(main())
    from ..network.host import NetworksApart

    code = main(networks=NetworksApart())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
