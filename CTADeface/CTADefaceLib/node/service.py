"""The node at work: receives in threads of their own, defaces in this one, and sends in one thread for each destination."""

from __future__ import annotations

import time
import traceback
from contextlib import ExitStack
from pathlib import Path

from ..errors import CTADefaceError
from ..files.storage.private import private_folder
from ..release.hospital_folder import require_hospital_writable
from .arrivals import Arrivals
from .config import Config
from .defacing import Defacing
from .intake import Intake
from .ledger import Ledger
from .logs import NodeLog
from .node_status import look as status
from .only_one import only_one
from .outbox import Outbox
from .receive import Receiver
from .send import SendingTo
from .spool import Spool, arriving
from .watch import Watch
from .web import Web

LOOK_EVERY_S = 0.5
TIDY_EVERY_S = 60.0
# So long after a study was deleted, its files are known when they come again.
REMEMBERED_S = 90 * 86400.0


def serve(config: Config, log: NodeLog) -> None:
    """Run a node until KeyboardInterrupt. Raises: CTADefaceError when it cannot begin."""
    require_hospital_writable([config.folder])
    private_folder(config.folder)
    with only_one(config):
        Node(config, log).serve()


class Node:
    """The parts of a node, and the order of its work; its folder must be locked (``only_one``)."""

    def __init__(self, config: Config, log: NodeLog) -> None:
        self.config, self.log = config, log
        self.ledger = Ledger(config.folder)
        receiving = config.receiving
        self.arrivals = Arrivals(receiving.complete_after_s, receiving.broken_after_s, arriving(config))
        self.spool = Spool(config, self.arrivals, self.ledger.known)
        self.intake = Intake(config, self.ledger, self.spool, self.arrivals, log)
        self.outbox = Outbox(config, self.ledger, log)
        self.defacing = Defacing(config, self.ledger, log, self.outbox.consider)
        self.receiver = Receiver(receiving, self.spool, self.arrivals, log)
        # What was there when the node ended, is run first.
        self._to_run = True
        self.watch = Watch(receiving.watch, self.spool, log) if receiving.watch else None
        self.senders = [
            SendingTo(release, destination, receiving.ae_title, self.ledger, log)
            for release in config.releases
            for destination in release.destinations
        ]

    def serve(self) -> None:
        """Run until KeyboardInterrupt. Raises: CTADefaceError when it cannot begin."""
        self.intake.recover()
        self.ledger.withdraw_others([sender.called for sender in self.senders])
        with ExitStack() as started:
            started.callback(self.ledger.close)
            started.callback(self._stop_senders)
            for sender in self.senders:
                sender.start()
            started.callback(self.receiver.stop)
            self.receiver.start()
            if self.config.web_port is not None:
                self.web = Web(self.config.web_port, lambda: status(self.config, self.ledger))
                started.callback(self.web.stop)
                self.web.start()
            self.log("listening", port=self.receiver.port, address=self.config.receiving.address)
            tidied = 0.0
            while True:
                self.look()
                if time.monotonic() - tidied > TIDY_EVERY_S:
                    tidied = time.monotonic()
                    self._tidy()
                time.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One round. What goes wrong, as with a full disk, is told, and tried again in the next one."""
        try:
            if self.watch is not None:
                self.watch.look()
            self._to_run = bool(self.intake.take()) or self._to_run
            if self._to_run:
                self.defacing.run()
                self._to_run = False
            self.defacing.run_again()
            self.outbox.look()
        except Exception as error:
            # A full disk, or a fault of this program, of which the message may hold a header. Of what was laid before, nothing
            # is forgotten.
            self._to_run = True
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.log("round failed", error=type(error).__name__, reason=f"{Path(frame.filename).name}, line {frame.lineno}")
            time.sleep(LOOK_EVERY_S)

    def _tidy(self) -> None:
        try:
            self.intake.tidy(time.time() - self.config.keep_s)
            self.ledger.forget_before(time.time() - self.config.keep_s - REMEMBERED_S)
        except (CTADefaceError, OSError) as error:
            self.log("not tidied", error=type(error).__name__)

    def _stop_senders(self) -> None:
        for sender in self.senders:
            sender.stop()
        for sender in self.senders:
            if sender.is_alive():
                sender.join(timeout=5)
