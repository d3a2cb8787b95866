"""The shell command ``cta-deface send``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .exit_codes import DONE, EPILOG, OUTPUT, STOPPED
from .progress_bar import ProgressBar, name_of

if TYPE_CHECKING:
    from ..dicom.transfer.association import Peer


def add_send(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("send", help="send released DICOM series to a DICOM node (C-STORE)", epilog=EPILOG)
    parser.add_argument(
        "folder", metavar="FOLDER", help="a release folder, searched with its sub-folders, or that of a series"
    )
    parser.add_argument("--to", metavar="HOST:PORT", required=True, help="where the DICOM node listens")
    parser.add_argument("--called", metavar="AET", required=True, help="the node's AE title")
    parser.add_argument("--calling", metavar="AET", help="our AE title (default: CTADEFACE)")
    parser.add_argument(
        "--hospital", metavar="DIR", help="folder of the records of FOLDER (default: beside the release folder, as for run)"
    )
    parser.add_argument(
        "--tls",
        nargs=3,
        metavar=("CERTIFICATE", "KEY", "CA"),
        help="over TLS: our certificate and key, and who has signed the node's certificate (PEM)",
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds for each answer (default 30)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr, only warnings and errors")
    parser.set_defaults(action=send_command)


def send_command(args: argparse.Namespace) -> int:
    """Exit code 0 when the node has taken every file; nothing is sent when one of them is not what the gate released."""
    from ..dicom.transfer.released_files import find_released
    from ..dicom.transfer.sending import send_released

    peer = peer_of(args)
    files = find_released(args.folder, args.hospital)
    bar = ProgressBar(name_of(args.folder), args.quiet)
    try:
        sent = send_released(peer, files, bar.progress)
    finally:
        bar.close()
    print(f"{args.folder}: {len(sent.taken)} of {len(files)} files were taken by {peer}.", flush=True)
    for reason in sent.reasons:
        print(f"  Not taken: {reason}", flush=True)
    return STOPPED if sent.cancelled else OUTPUT if sent.left else DONE


def peer_of(args: argparse.Namespace) -> Peer:
    """The node that the options name. Raises: UsageError."""
    from ..dicom.transfer.association import OWN_TITLE, Peer
    from ..dicom.transfer.tls import Tls

    host, sign, port = args.to.rpartition(":")
    if not sign or not port.isascii() or not port.isdigit():
        raise UsageError(f"--to {args.to}: give HOST:PORT, as in --to archive.example:104.")
    tls = Tls(*map(Path, args.tls)) if args.tls else None
    peer = Peer(host.strip("[]"), int(port), args.called, args.calling or OWN_TITLE, args.timeout, tls)
    peer.require_sound()
    return peer
