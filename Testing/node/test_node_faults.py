"""Nodes in processes of their own: killed at any moment, with archives that are killed too; and with real peers.

``benchmarks/node.py`` does the same with 60 studies, random kills, and a validator of what arrives.
"""

import shutil
import subprocess
import sys
import threading
from io import BytesIO

import pydicom
import pytest

from helpers import dicom_maker as maker
from helpers.dicom_node import ARCHIVE, SENDER, Archive, Process, free_port, send, until, write_config
from helpers.orthanc import PROGRAM, Orthanc

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM, by which a node ends")


def port_of(config):
    from CTADefaceLib.node.config import read_config

    return read_config(config).receiving.port


def keep_sending(port, folder):
    """A sender that tries again until all of a study was taken."""

    def work():
        while True:
            try:
                if set(send(port, folder)) == {0}:
                    return
            except (AssertionError, OSError):
                continue

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_node_that_is_killed_at_each_stage_loses_nothing_and_sends_nothing_twice(tmp_path, mask, studies):
    port = free_port()
    config = write_config(tmp_path, port, destination="timeout_s = 5")
    incoming, log = tmp_path / "node" / "incoming", tmp_path / "node.log"
    senders, node = [], Process(config, mask)
    try:
        # Killed while files arrive, when a second file has come.
        node.wait_until_it_listens()
        senders = [keep_sending(port_of(config), folder) for folder in studies]
        until(lambda: len(list(incoming.glob("*/*.dcm"))) > 5)
        node.kill()
        # Killed while a study is defaced.
        node = Process(config, mask)
        until(lambda: '"status": "started"' in text(tmp_path / "node/hospital/research/batch.jsonl"))
        node.kill()
        # Killed while a study is sent, and then the archive too.
        with Archive(port) as first:
            node = Process(config, mask)
            until(lambda: first.times > 5)
            node.kill()
            kept = dict(first.got)
        node = Process(config, mask)
        until(lambda: log.read_text().count('"event": "not sent"') >= 1)
        with Archive(port) as archive:
            archive.got = kept
            until(lambda: sorted(archive.studies().values()) == [40, 40])
            until(lambda: log.read_text().count('"event": "finished"') == 2)
        for sender in senders:
            sender.join(timeout=30)
            assert not sender.is_alive()
        # Nothing twice: each series once, under one UID for each of its slices.
        assert len({dataset.SeriesInstanceUID for dataset in archive.got.values()}) == 2
        positions = [(one.StudyInstanceUID, tuple(one.ImagePositionPatient)) for one in archive.got.values()]
        assert len(positions) == len(set(positions)) == 80
        assert {one.RecognizableVisualFeatures for one in archive.got.values()} == {"NO"}
        assert node.end() == 0
    finally:
        node.kill()


def text(path):
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def real_study(small_cranium, tmp_path_factory):
    """A thin and a thick series of a real head."""
    folder = tmp_path_factory.mktemp("real") / "study"
    maker.write_study_of(small_cranium[2:-2, 2:-2, :], folder)
    return folder


def test_orthanc_sends_a_real_head_and_gets_it_back_without_its_face(real_study, tmp_path):
    """The real command and the bundled model. Without Orthanc the peers are pynetdicom's."""
    port, http = free_port(), free_port()
    config = write_config(tmp_path, port, release="shift_dates = true", destination="timeout_s = 10")
    config.write_text(config.read_text().replace("deidentify_headers = false", "deidentify_headers = true"))
    count = len(list(real_study.rglob("*.dcm")))
    node = Process(config)
    try:
        node.wait_until_it_listens()
        if PROGRAM is None:
            with Archive(port) as archive:
                assert set(send(port_of(config), real_study)) == {0}
                until(lambda: list(archive.studies().values()) == [count])
                got = [_file(dataset) for dataset in archive.got.values()]
        else:
            # One server is both, so that the original and what came back lie side by side.
            with Orthanc(tmp_path / "orthanc", SENDER, {"node": ("CTADEFACE", port_of(config))}, port, http) as server:
                [study] = server.upload(real_study)
                assert server.send(study, "node") == 0
                until(lambda: sorted(server.studies().values()) == [count, count])
                got = list(server.files())
    finally:
        node.kill()
    defaced = [one for one in map(_dataset, got) if one.get("RecognizableVisualFeatures") == "NO"]
    assert len(defaced) == count and {str(one.PatientID)[:4] for one in defaced} == {"CTA-"}
    assert not [one for one in defaced if "Secret" in str(one)]


def _dataset(content):
    return pydicom.dcmread(BytesIO(content))


def _file(dataset):
    dataset.save_as(buffer := BytesIO(), enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.skipif(
    shutil.which("storescu") is None, reason="needs storescu (Debian's dcmtk); pynetdicom is the peer elsewhere"
)
def test_dcmtk_is_a_peer_on_both_sides(tmp_path, mask, studies):
    port = free_port()
    config = write_config(tmp_path, port)
    (tmp_path / "got").mkdir()
    words = ["storescp", "-aet", ARCHIVE, "-od", str(tmp_path / "got"), str(port)]
    node, archive = Process(config, mask), subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        node.wait_until_it_listens()
        to = ["127.0.0.1", str(port_of(config))]
        subprocess.run(["echoscu", "-aet", SENDER, "-aec", "CTADEFACE", *to], check=True)
        subprocess.run(["storescu", "-aet", SENDER, "-aec", "CTADEFACE", "+sd", "+r", *to, str(studies[1])], check=True)
        assert subprocess.run(["echoscu", "-aet", "STRANGER", "-aec", "CTADEFACE", *to], capture_output=True).returncode
        until(lambda: '"event": "finished"' in node.lines())
    finally:
        node.kill()
        archive.kill()
        archive.wait()
    assert len(list((tmp_path / "got").iterdir())) == 40
