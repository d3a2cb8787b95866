"""A node for tests: its configuration, senders and archives as peers (pynetdicom's own), studies of the synthetic head.

As a program (``python dicom_node.py CONFIG MASK``) it runs a node that takes a given mask in place of a network's, for tests
that kill it.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from helpers.paths import ENGINE, TESTING

SENDER, NODE, ARCHIVE = "SENDER", "CTADEFACE", "ARCHIVE"
# Of a test on a busy machine.
PATIENCE_S = 180.0


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def write_config(folder, archive_port, receive="", release="", destination="", top="", more=""):
    """The TOML file of a node in ``folder`` with one destination; further lines for each table, and ``more`` at the end."""
    path = folder / "node.toml"
    path.write_text(f"""
folder = "node"
keep_free_gb = 0
{top}
[receive]
port = {free_port()}
address = "127.0.0.1"
complete_after_s = 0.5
broken_after_s = 3
{receive}
[[receive.sender]]
ae_title = "{SENDER}"
address = "127.0.0.1"
[[release]]
name = "research"
deidentify_headers = false
{release}
[[release.destination]]
name = "archive"
ae_title = "{ARCHIVE}"
address = "127.0.0.1"
port = {archive_port}
retry_s = 0.1
longest_retry_s = 0.5
{destination}
{more}
""")
    return path


def with_mask(config, mask):
    """A ``Config`` whose releases take a given mask: real batches without a network, in a second."""
    return replace(
        config,
        releases=tuple(
            replace(one, options=replace(one.options, mask=str(mask), second_opinion=False)) for one in config.releases
        ),
    )


def quick_node(folder, archive_port, mask, log=None, **tables):
    """A ``Node`` in this process whose parts a test moves by hand (``node.look()``)."""
    from CTADefaceLib.files.storage.private import private_folder
    from CTADefaceLib.node.config import read_config
    from CTADefaceLib.node.logs import NodeLog
    from CTADefaceLib.node.service import Node

    config = with_mask(read_config(write_config(folder, archive_port, **tables)), mask)
    private_folder(config.folder)
    node = Node(config, log or NodeLog(quiet=True))
    node.intake.recover()
    return node


def put_folder(node, folder):
    """Take in all files of a folder, as if a sender had sent them and had gone."""
    put_files(node, sorted(Path(folder).rglob("*.dcm")))


def put_files(node, paths):
    """Take in files, as if a sender had sent them and had gone."""
    for path in paths:
        node.spool.put(path.read_bytes())


def served(node):
    """For ``for _ in served(node)``: its sending threads run meanwhile."""
    for sender in node.senders:
        sender.start()
    yield node
    node._stop_senders()
    node.ledger.close()


def state(node):
    from CTADefaceLib.node.node_status import look

    return look(node.config, node.ledger)


def settled(node):
    """Look until nothing is on its way any more; returns the ``Status``."""

    def quiet():
        node.look()
        found = state(node)
        return found if not (found.to_deface + sum(to.waiting for to in found.destinations)) else None

    found = until(quiet)
    node.look()
    return found


def until(true, seconds=PATIENCE_S, step=0.02):
    """Wait until ``true()`` is; returns it. Fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(step)
    return found


class Archive:
    """A C-STORE SCP that keeps data sets by SOP Instance UID; ``answer(number)`` gives the status of the n-th file."""

    def __init__(self, port=None, answer=lambda number: 0x0000, ssl_context=None):
        self.port, self.answer, self.context = port or free_port(), answer, ssl_context
        self.got, self.times, self.lock = {}, 0, threading.Lock()

    def __enter__(self):
        from pynetdicom import AE, AllStoragePresentationContexts, evt

        ae = AE(ARCHIVE)
        ae.supported_contexts = AllStoragePresentationContexts
        self.server = ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)], ssl_context=self.context
        )
        return self

    def __exit__(self, *_error):
        self.server.shutdown()

    def _store(self, event):
        with self.lock:
            self.times += 1
            status = self.answer(self.times)
            if status == 0x0000:
                dataset = event.dataset
                dataset.file_meta = event.file_meta
                self.got[dataset.SOPInstanceUID] = dataset
            return status

    def studies(self):
        """{study UID: number of its files}."""
        found = {}
        for dataset in list(self.got.values()):
            found[dataset.StudyInstanceUID] = found.get(dataset.StudyInstanceUID, 0) + 1
        return found


def associate(port, title=SENDER, tls=None, called=NODE):
    """An association of a sender with the node, established or not."""
    from pynetdicom import AE
    from pynetdicom.sop_class import CTImageStorage, RTStructureSetStorage, Verification, XRayRadiationDoseSRStorage

    ae = AE(title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    for kind in (CTImageStorage, RTStructureSetStorage, XRayRadiationDoseSRStorage, Verification):
        ae.add_requested_context(kind, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    return ae.associate("127.0.0.1", port, ae_title=called, tls_args=tls)


def send(port, folder, most=None, end="release", **how):
    """Send the files of a folder, at most so many; returns their statuses (None: no answer)."""
    import pydicom

    association = associate(port, **how)
    assert association.is_established
    statuses = []
    for path in sorted(Path(folder).rglob("*.dcm"))[:most]:
        if not association.is_established:
            return [*statuses, None]
        try:
            statuses.append(association.send_c_store(pydicom.dcmread(path)).get("Status"))
        except RuntimeError:
            return [*statuses, None]
    if end == "release":
        association.release()
    else:
        association.abort()
    return statuses


class Process:
    """A node in a process of its own, with a given mask; ``kill`` is SIGKILL."""

    def __init__(self, config, mask=None, log=None):
        words = [__file__, str(config), str(mask)] if mask else ["-m", "CTADefaceLib", "node", str(config)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ENGINE), str(TESTING)]), "OMP_NUM_THREADS": "1"}
        self.log = Path(log or Path(config).with_suffix(".log"))
        with open(self.log, "ab") as stream:
            self._process = subprocess.Popen([sys.executable, *words], stderr=stream, stdout=stream, env=environment)

    @property
    def pid(self):
        return self._process.pid

    def wait_until_it_listens(self, times=1):
        until(lambda: self.lines().count('"event": "listening"') >= times or self._process.poll() is not None)
        assert self._process.poll() is None, self.lines()

    def lines(self):
        return self.log.read_text() if self.log.exists() else ""

    def kill(self):
        self._process.kill()
        self._process.wait()

    def end(self):
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(timeout=30)


def main():
    from CTADefaceLib.cli.batch_command import terminated_as_interrupted
    from CTADefaceLib.node.config import read_config
    from CTADefaceLib.node.logs import NodeLog
    from CTADefaceLib.node.service import serve

    try:
        with terminated_as_interrupted():
            serve(with_mask(read_config(sys.argv[1]), sys.argv[2]), NodeLog())
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
