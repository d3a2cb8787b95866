"""Sending: a destination that is down, that breaks off, that refuses; what a restart remembers; whole or not at all."""

import hashlib
import time
from dataclasses import replace
from io import BytesIO

import pydicom
import pytest

from CTADefaceLib.dicom.transfer.released_files import ReleasedFile
from CTADefaceLib.dicom.transfer.tls import server_context
from CTADefaceLib.node.config import read_config
from CTADefaceLib.node.ledger import Ledger
from CTADefaceLib.node.logs import NodeLog
from CTADefaceLib.node.send import SendingTo
from helpers import dicom_maker as maker
from helpers.certificates import certificates
from helpers.dicom_node import Archive, free_port, until, write_config

FILES = 5


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """What a gate has released, as the ledger knows it: files of one study."""
    folder = tmp_path_factory.mktemp("released")
    maker.write_series(folder, maker.upright(FILES, rows=16, columns=16))
    return [outgoing(path) for path in sorted(folder.glob("*.dcm"))]


def outgoing(path):
    content = path.read_bytes()
    header = pydicom.dcmread(BytesIO(content))
    uids = header.SOPInstanceUID, header.SOPClassUID, header.file_meta.TransferSyntaxUID
    return ReleasedFile(str(path), *map(str, uids), hashlib.sha256(content).hexdigest())


class Out:
    """A ledger with one study for one destination, and the thread that sends it."""

    def __init__(self, folder, port, **tables):
        self.config = read_config(write_config(folder, port, **tables))
        self.ledger = Ledger(self.config.folder)
        self.start()

    def start(self):
        [release] = self.config.releases
        self.thread = SendingTo(release, release.destinations[0], "CTADEFACE", self.ledger, NodeLog(quiet=True))
        self.thread.start()

    def stop(self):
        self.thread.stop()
        self.thread.join()

    def release(self, files, stamp="a"):
        self.ledger.laid("study")
        self.ledger.released("study", "research", stamp, files, ["archive"])

    def row(self, what):
        return self.ledger.rows(f"SELECT {what} FROM sending ORDER BY id DESC LIMIT 1")[0][0]


@pytest.fixture
def out(tmp_path):
    made = []

    def make(port, **tables):
        made.append(Out(tmp_path, port, **tables))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_destination_that_is_down_gets_its_study_when_it_is_back_also_after_a_restart(out, released):
    port = free_port()
    node = out(port)
    node.release(released)
    until(lambda: node.row("attempts") >= 2)
    assert "cannot be reached" in node.row("error") and not node.row("begun")
    node.stop()
    node.ledger.close()
    # The node starts anew: what it knows is on the disk.
    again = out(port)
    assert again.row("attempts") >= 2
    with Archive(port) as archive:
        until(lambda: again.row("state") == "sent")
        assert archive.times == FILES and set(archive.got) == {one.uid for one in released}


def test_pauses_grow_up_to_the_longest(out, released):
    node = out(free_port(), destination="")
    pauses = [node.thread._pause(failures) for failures in (0, 1, 2, 10, 10_000)]
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.5]
    node.release(released)
    until(lambda: node.row("attempts") >= 3)
    assert 0 < node.row("due") - time.time() + 0.2 <= 0.75


def test_what_an_interruption_has_left_goes_out_with_the_next_try_and_nothing_twice(out, released):
    with Archive(answer=lambda number: 0xA700 if number == 3 else 0) as archive:
        node = out(archive.port)
        node.release(released)
        until(lambda: node.row("state") == "sent")
        assert set(archive.got) == {one.uid for one in released} and archive.times == FILES + 1
        assert node.row("attempts") == 1


def test_a_study_of_which_one_file_is_refused_does_not_count_as_sent(out, released):
    with Archive(answer=lambda number: 0xC000 if number >= FILES else 0) as archive:
        node = out(archive.port)
        node.release(released)
        until(lambda: node.row("attempts") >= 2)
        assert node.row("state") == "waiting" and "0xC000" in node.row("error") and len(archive.got) == FILES - 1


def test_a_study_that_cannot_be_sent_does_not_stop_the_others(out, released, tmp_path):
    maker.write_series(tmp_path / "other", maker.upright(2, rows=16, columns=16))
    other = [outgoing(path) for path in sorted((tmp_path / "other").glob("*.dcm"))]
    with Archive() as archive:
        node = out(archive.port)
        node.release([replace(released[0], sha256="0" * 64), *released[1:]])
        until(lambda: node.row("attempts") >= 1)
        node.ledger.laid("other")
        node.ledger.released("other", "research", "b", other, ["archive"])
        until(lambda: node.row("state") == "sent")
        assert {one.uid for one in other} <= set(archive.got) and released[0].uid not in archive.got


def test_what_was_withdrawn_is_not_sent_and_what_is_released_again_is_sent_once(out, released):
    with Archive() as archive:
        node = out(archive.port)
        node.stop()
        node.release(released)
        node.ledger.hold("study", "research", "rejected by a person", "")
        node.start()
        time.sleep(0.5)
        assert archive.times == 0 and node.row("state") == "withdrawn"
        # The same files are the same version, however often somebody looks at them.
        for stamp in "abc":
            node.release(released, stamp)
        until(lambda: node.row("state") == "sent")
        node.release(released, "d")
        time.sleep(0.7)
        assert archive.times == FILES


def test_a_study_withdrawn_in_the_middle_stops_there(out, released):
    with Archive() as archive:
        node = out(archive.port)

        def answer(number):
            if number == 2:
                node.ledger.hold("study", "research", "rejected by a person", "")
            return 0

        archive.answer = answer
        node.release(released)
        until(lambda: node.row("state") == "withdrawn")
        time.sleep(0.5)
        assert archive.times == 2 and node.row("begun")


@pytest.mark.parametrize("syntax", ["implicit", "big endian", "deflated"])
def test_files_go_in_their_own_syntax_or_one_that_the_destination_knows(out, tmp_path, syntax):
    maker.write_series(tmp_path / "files", maker.upright(2, rows=16, columns=16), syntax=syntax)
    files = [outgoing(path) for path in sorted((tmp_path / "files").glob("*.dcm"))]
    before = {str(pydicom.dcmread(one.path).SOPInstanceUID): pydicom.dcmread(one.path).pixel_array for one in files}
    with Archive() as archive:
        node = out(archive.port)
        node.release(files)
        until(lambda: node.row("state") == "sent")
        for uid, dataset in archive.got.items():
            assert (dataset.pixel_array == before[uid]).all()


def test_with_tls_a_destination_shows_a_certificate_for_its_address(out, released, tmp_path):
    own = certificates(tmp_path, "archive")
    other = certificates(tmp_path, "other")
    line = '[release.destination.tls]\ncertificate = "{}"\nkey = "{}"\nca = "{}"'
    with Archive(ssl_context=server_context(other)) as archive:
        node = out(archive.port, destination=line.format(own.certificate, own.key, own.ca))
        node.release(released)
        until(lambda: node.row("attempts") >= 1)
        port = archive.port
    with Archive(port, ssl_context=server_context(own)) as archive:
        until(lambda: node.row("state") == "sent")
        assert archive.times == FILES
