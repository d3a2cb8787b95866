"""The side that listens: who is heard, what success means, a disk nearly full, senders that break off or are hostile."""

import hashlib
import ipaddress
import os
import shutil
import socket
import ssl
import sys
from io import BytesIO

import pydicom
import pytest

from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.transfer.tls import client_context
from CTADefaceLib.extras import how_to_install
from CTADefaceLib.node import receive as receive_module
from CTADefaceLib.node import spool as spool_module
from CTADefaceLib.node import watch as watch_module
from CTADefaceLib.node.arrivals import Arrivals
from CTADefaceLib.node.config import Tls, read_config
from CTADefaceLib.node.logs import NodeLog
from CTADefaceLib.node.receive import Receiver
from CTADefaceLib.node.spool import AGAIN, CHANGED, NEW, Spool
from CTADefaceLib.node.watch import Watch
from helpers import dicom_maker as maker
from helpers.certificates import certificates
from helpers.dicom_node import associate, free_port, send, until, write_config

OUT_OF_RESOURCES, DOES_NOT_MATCH = 0xA700, 0xA900


class Listening:
    """A receiver by itself."""

    def __init__(self, folder, **tables):
        self.config = read_config(write_config(folder, 1, **tables))
        self.arrivals = Arrivals(0.2, 1000)
        self.spool = Spool(self.config, self.arrivals, lambda study, file: None)
        self.receiver = Receiver(self.config.receiving, self.spool, self.arrivals, NodeLog(quiet=True))
        self.receiver.start()
        self.port = self.receiver.port

    def files(self):
        return sorted(path for path in self.config.incoming.rglob("*.dcm"))


@pytest.fixture
def listening(tmp_path):
    made = []

    def listen(**tables):
        made.append(Listening(tmp_path, **tables))
        return made[-1]

    yield listen
    for one in made:
        one.receiver.stop()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with three slices of a study."""
    folder = tmp_path_factory.mktemp("few")
    maker.write_series(folder, maker.upright(3, rows=16, columns=16))
    return folder


def test_what_was_answered_with_success_is_on_the_disk_as_it_was_sent(listening, few, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), fsync(handle)))
    node = listening()
    assert send(node.port, few) == [0, 0, 0]
    got = {pydicom.dcmread(path).SOPInstanceUID: pydicom.dcmread(path) for path in node.files()}
    for path in few.glob("*.dcm"):
        sent = pydicom.dcmread(path)
        assert got[sent.SOPInstanceUID].PixelData == sent.PixelData and got[sent.SOPInstanceUID].PatientID == sent.PatientID
    # The content of each file, and for each the folder that holds its name.
    [folder] = {path.parent for path in node.files()}
    assert all(synced.count(path.stat().st_ino) == 1 for path in node.files())
    assert synced.count(folder.stat().st_ino) == 3 and node.config.incoming.stat().st_ino in synced
    assert {oct(path.stat().st_mode & 0o777) for path in node.files()} == {"0o600"}
    assert oct(node.files()[0].parent.stat().st_mode & 0o777) == "0o700"
    # No name on the disk tells a UID.
    assert not [path for path in node.files() if any(str(uid) in str(path) for uid in got)]


def test_echo_is_answered(listening):
    association = associate(listening().port)
    assert association.send_c_echo().Status == 0
    association.release()


def test_only_those_are_heard_that_the_configuration_names(listening, monkeypatch):
    node = listening(receive='[[receive.sender]]\nae_title = "ELSEWHERE"\naddress = "192.0.2.7"')
    assert associate(node.port).is_established
    assert associate(node.port, title="STRANGER").is_rejected
    assert associate(node.port, called="OTHER").is_rejected
    # A title that is known, from an address that it does not belong to.
    assert associate(node.port, title="ELSEWHERE").is_rejected
    # When it cannot be told, nobody is heard, and the node goes on listening.
    for where, answer in ((Receiver, "_is_known"), (receive_module, "_address")):
        with monkeypatch.context() as patch:
            patch.setattr(where, answer, lambda *_: ipaddress.ip_address("no address"))
            assert not associate(node.port).is_established
    assert associate(node.port).is_established


def test_callers_from_other_networks_are_dropped_unheard(tmp_path):
    path = write_config(tmp_path, 1)
    path.write_text(
        path.read_text().replace('ae_title = "SENDER"\naddress = "127.0.0.1"', 'ae_title = "SENDER"\naddress = "192.0.2.0/24"')
    )
    config = read_config(path)
    arrivals = Arrivals(0, 0)
    receiver = Receiver(config.receiving, Spool(config, arrivals, lambda *_: None), arrivals, NodeLog(quiet=True))
    receiver.start()
    try:
        with socket.create_connection(("127.0.0.1", receiver.port)) as caller:
            caller.settimeout(5)
            assert caller.recv(1) == b""
        association = associate(receiver.port)
        assert not association.is_established
    finally:
        receiver.stop()


def test_with_tls_only_certificates_of_the_authority_are_heard(listening, tmp_path, few):
    server = certificates(tmp_path, "server")
    friend = certificates(tmp_path, "friend", server.ca.with_suffix(""))
    stranger = certificates(tmp_path, "stranger")
    lines = f'[receive.tls]\ncertificate = "{server.certificate}"\nkey = "{server.key}"\nca = "{server.ca}"'
    node = listening(receive=lines)
    # Somebody who connects and says nothing keeps nobody waiting.
    with socket.create_connection(("127.0.0.1", node.port)):
        assert send(node.port, few, tls=(client_context(friend), "127.0.0.1")) == [0, 0, 0]
        without = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        without.load_verify_locations(server.ca)
        for context in (client_context(Tls(stranger.certificate, stranger.key, server.ca)), without):
            assert not associate(node.port, tls=(context, "127.0.0.1")).is_established
        assert not associate(node.port).is_established
    assert len(node.files()) == 3


def test_duplicates_are_taken_once_and_a_changed_file_replaces_the_one_before(listening, few):
    node = listening()
    assert send(node.port, few) == send(node.port, few) == [0, 0, 0]
    before = {path: path.stat().st_mtime_ns for path in node.files()}
    assert len(before) == 3
    [path, *_others] = sorted(few.glob("*.dcm"))
    content = path.read_bytes()
    changed = pydicom.dcmread(path)
    changed.PatientName = "Corrected"
    changed.save_as(buffer := BytesIO())
    assert [node.spool.put(one).what for one in (content, buffer.getvalue(), buffer.getvalue())][1:] == [CHANGED, AGAIN]
    assert len(node.files()) == 3


def test_a_file_that_was_deleted_since_is_known(tmp_path, few):
    config = read_config(write_config(tmp_path, 1))
    [path, other, *_others] = sorted(few.glob("*.dcm"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    spool = Spool(config, Arrivals(0, 0), lambda study, file: digest)
    assert spool.put(path.read_bytes()).what == AGAIN and not list(config.incoming.glob("*/*.dcm"))
    assert spool.put(other.read_bytes()).what == CHANGED
    assert Spool(config, Arrivals(0, 0), lambda study, file: None).put(path.read_bytes()).what == NEW


def test_before_the_disk_is_full_nothing_more_is_taken(listening, few, monkeypatch):
    node = listening(top="")
    association = associate(node.port)
    datasets = [pydicom.dcmread(path) for path in sorted(few.glob("*.dcm"))]
    free = 10_000_000
    monkeypatch.setattr(node.spool, "free_bytes", lambda: free)
    object.__setattr__(node.config, "keep_free_bytes", 9_000_000)
    assert association.send_c_store(datasets[0]).Status == 0
    free = 9_000_100
    assert association.send_c_store(datasets[1]).Status == OUT_OF_RESOURCES
    free = 10_000_000
    assert association.send_c_store(datasets[1]).Status == 0
    association.release()
    assert len(node.files()) == 2


def test_a_disk_that_is_full_all_the_same_leaves_no_part(listening, few, monkeypatch):
    node = listening()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool_module.os, "fsync", full)
    assert send(node.port, few) == [OUT_OF_RESOURCES] * 3
    monkeypatch.undo()
    assert not [path for path in node.config.incoming.rglob("*") if path.is_file()]
    assert send(node.port, few) == [0, 0, 0]


def test_a_sender_that_breaks_off_is_waited_for(listening, few):
    node = listening()
    assert send(node.port, few, most=2, end="abort") == [0, 0]
    until(node.arrivals.broken)
    assert not node.arrivals.complete()
    assert send(node.port, few) == [0, 0, 0]
    assert until(node.arrivals.complete) == [node.files()[0].parent.name]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("uid", ["../../../escape", "/etc/passwd", "1.2." + "3" * 60 + "/x"])
def test_uids_of_others_are_no_paths(listening, few, uid):
    node = listening()
    dataset = pydicom.dcmread(next(few.glob("*.dcm")))
    dataset.StudyInstanceUID = uid
    dataset.save_as(buffer := BytesIO())
    taken = node.spool.put(buffer.getvalue())
    assert node.files() == [node.config.incoming / taken.study / taken.file]


@pytest.mark.parametrize("wrong", ["no study", "another instance", "truncated"])
def test_what_cannot_be_used_is_refused_and_leaves_nothing(listening, few, wrong):
    node = listening()
    dataset = pydicom.dcmread(next(few.glob("*.dcm")))
    if wrong == "no study":
        del dataset.StudyInstanceUID
    content = BytesIO()
    dataset.save_as(content)
    content = content.getvalue()[:200] if wrong == "truncated" else content.getvalue()
    with pytest.raises(Exception, match="send"):
        node.spool.put(content, "1.2.3" if wrong == "another instance" else None)
    if wrong == "no study":
        association = associate(node.port)
        assert association.send_c_store(dataset).Status == DOES_NOT_MATCH
        association.release()
    assert not [path for path in node.config.incoming.rglob("*") if path.is_file()]


def test_what_a_killed_node_has_not_finished_is_taken_away(tmp_path, few):
    config = read_config(write_config(tmp_path, 1))
    (config.incoming / ".parts").mkdir(parents=True)
    (config.incoming / ".parts" / "half").write_bytes(b"half a file")
    Spool(config, Arrivals(0, 0), lambda *_: None)
    assert not list((config.incoming / ".parts").iterdir())


def test_a_port_that_is_taken_is_said(listening, tmp_path):
    node = listening()
    other = Receiver(node.config.receiving, node.spool, node.arrivals, NodeLog(quiet=True))
    with pytest.raises(Exception, match="cannot listen there"):
        other.start()


def test_files_are_taken_from_a_watched_folder_once_they_rest(tmp_path, few, monkeypatch):
    config = read_config(write_config(tmp_path, 1, receive='watch = "drop"'))
    arrivals = Arrivals(0, 0)
    spool = Spool(config, arrivals, lambda *_: None)
    watch = Watch(config.receiving.watch, spool, NodeLog(quiet=True))
    drop = tmp_path / "drop" / "a" / "b"
    watch.look()
    shutil.copytree(few, drop)
    half = drop / "half.dcm"
    half.write_bytes(b"not whole yet")
    (drop / "notes.txt").write_text("no DICOM")
    for _ in range(3):
        watch.look()
    assert not list(config.incoming.glob("*/*.dcm")), "they may still be written"
    monkeypatch.setattr(watch_module, "REST_S", 0)
    whole = maker.upright(1, rows=16, columns=16)
    maker.write_series(tmp_path / "one", whole)
    half.write_bytes(next((tmp_path / "one").iterdir()).read_bytes())
    watch.look()
    assert len(list(config.incoming.glob("*/*.dcm"))) == 3 and half.exists()
    watch.look()
    assert {path.name for path in drop.iterdir()} == {"notes.txt"}
    assert sorted(arrivals.complete()) == sorted(path.name for path in config.incoming.iterdir() if path.name != ".parts")
    # Without room everything stays where it is.
    shutil.copytree(few, drop / "more")
    object.__setattr__(config, "keep_free_bytes", 1e18)
    for _ in range(3):
        watch.look()
    assert len(list((drop / "more").iterdir())) == 3


@pytest.mark.parametrize("package", ["pynetdicom", "prometheus_client"])
def test_a_missing_package_is_said_with_the_command_that_brings_it(tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    path = write_config(tmp_path, 1, top=f"web_port = {free_port()}")
    assert main(["node", str(path), "--quiet"]) == 6
    said = capsys.readouterr().err
    assert package in said and how_to_install("node") in said
