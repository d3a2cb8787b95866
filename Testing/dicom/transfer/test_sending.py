"""What the gate released, and nothing else, leaves for a DICOM node: in the very files, or not at all."""

import hashlib
import json
import shutil
import socket
import threading
import time

import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.transfer.association import NotReached, NotSent, Peer, associated, contexts_of, echo, store
from CTADefaceLib.dicom.transfer.released_files import NotReleased, find_released
from CTADefaceLib.dicom.transfer.sending import send_released
from CTADefaceLib.errors import InputError, UsageError
from CTADefaceLib.progress import Progress
from helpers import dicom_maker as maker
from helpers.certificates import certificates
from helpers.dicom_node import ARCHIVE, Archive, free_port, until

FILES = 60


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A release folder of two series, and its neighbour for the hospital."""
    pytest.importorskip("pynetdicom", reason="needs the extra send")
    folder, study = tmp_path_factory.mktemp("case"), maker.Study()
    maker.write_series(folder / "in" / "thin", maker.sparse(), study, number=1)
    maker.write_series(folder / "in" / "thick", maker.upright(count=20, spacing=12.0), study, number=2)
    mask = maker.write_mask(folder / "mask.nii.gz")
    results = deface_dicom(folder / "in", folder / "release", Options(mask=str(mask), second_opinion=False))
    assert [result.status for result in results] == ["defaced"] * 2
    return folder


@pytest.fixture
def release(case, tmp_path):
    """A copy of it that may be spoilt."""
    for name in ("release", "release-hospital-only"):
        shutil.copytree(case / name, tmp_path / name)
    return tmp_path / "release"


@pytest.fixture
def archive():
    with Archive() as one:
        yield one


def peer_at(port, **how):
    return Peer("127.0.0.1", port, ARCHIVE, **how)


def dicom_files(folder):
    return sorted(folder.rglob("*.dcm"))


def record_of(release, number=1):
    return release.with_name("release-hospital-only") / f"series_{number:02}_record.json"


def change_pixel(folder):
    path = dicom_files(folder)[3]
    dataset = pydicom.dcmread(path)
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]
    dataset.save_as(path)


def change_header(folder):
    path = dicom_files(folder)[3]
    dataset = pydicom.dcmread(path)
    dataset.PatientName = "Back^Again"
    dataset.save_as(path)


def change_nothing_that_dicom_means(folder):
    path = dicom_files(folder)[3]
    path.write_bytes(path.read_bytes() + b"\0" * 16)


SPOILT = {
    "a pixel": lambda release: change_pixel(release / "series_01"),
    "a header": lambda release: change_header(release / "series_02"),
    "bytes at the end": lambda release: change_nothing_that_dicom_means(release / "series_01"),
    "a file added": lambda release: shutil.copy(dicom_files(release)[0], release / "series_01" / "more.dcm"),
    "a note added": lambda release: (release / "series_01" / "note.txt").write_text("to whom it may concern"),
    "a file taken away": lambda release: dicom_files(release / "series_02")[-1].unlink(),
    "a file renamed": lambda release: dicom_files(release / "series_01")[0].rename(release / "series_01" / "x.dcm"),
    "a folder added": lambda release: shutil.copytree(release / "series_01", release / "series_03"),
    "a folder inside": lambda release: shutil.copytree(release / "series_02", release / "series_01" / "more"),
    "a file beside the series": lambda release: shutil.copy(dicom_files(release)[0], release / "scout.dcm"),
    "a link to nothing": lambda release: (release / "series_01" / "x.dcm").symlink_to(release / "gone.dcm"),
    "no record": lambda release: record_of(release, 2).unlink(),
    "a record that says blocked": lambda release: say(record_of(release), status="blocked"),
    "a later record that says blocked": lambda release: later(release, "blocked"),
    "a record of a version that knew no files": lambda release: say(record_of(release), output={"voxels_sha256": "0" * 64}),
    "a record that is broken": lambda release: record_of(release).write_text("{"),
}


def say(path, **facts):
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def later(release, status):
    path = record_of(release).with_name("series_01_record_2.json")
    shutil.copy(record_of(release), path)
    say(path, status=status)


def test_the_record_knows_the_files_as_sha256sum_does(release):
    folder = release / "series_01"
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in dicom_files(folder)]
    record = json.loads(record_of(release).read_text())
    assert record["output"]["files_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_very_files_arrive_and_no_others(release, archive):
    files = find_released(release)
    sent = send_released(peer_at(archive.port), files)
    assert len(sent.taken) == FILES and not sent.left and not sent.cancelled and archive.times == FILES
    originals = {dataset.SOPInstanceUID: dataset for dataset in map(pydicom.dcmread, dicom_files(release))}
    assert set(archive.got) == set(originals)
    for uid, dataset in archive.got.items():
        assert dataset == originals[uid] and dataset.file_meta.TransferSyntaxUID == originals[uid].file_meta.TransferSyntaxUID


def test_one_series_alone_may_be_sent(release, archive):
    sent = send_released(peer_at(archive.port), find_released(release / "series_02"))
    assert len(sent.taken) == archive.times == 20


def test_records_may_lie_elsewhere_and_the_release_deeper(release, archive, tmp_path):
    elsewhere = tmp_path / "records"
    release.with_name("release-hospital-only").rename(elsewhere)
    with pytest.raises(NotReleased, match="--hospital DIR"):
        find_released(release)
    assert len(find_released(release, elsewhere)) == FILES and len(find_released(release / "series_01", elsewhere)) == 40
    # As a batch lays it.
    (tmp_path / "out").mkdir()
    (tmp_path / "out-hospital-only").mkdir()
    release.rename(tmp_path / "out" / "case-0001")
    elsewhere.rename(tmp_path / "out-hospital-only" / "case-0001")
    for given in ("out", "out/case-0001", "out/case-0001/series_01"):
        assert find_released(tmp_path / given)
    assert len(find_released(tmp_path / "out", tmp_path / "out-hospital-only")) == FILES


@pytest.mark.parametrize("how", SPOILT)
def test_what_the_gate_has_not_released_is_refused_as_a_whole(release, archive, capsys, how):
    SPOILT[how](release)
    with pytest.raises(NotReleased):
        find_released(release)
    assert main(["send", str(release), "--to", f"127.0.0.1:{archive.port}", "--called", ARCHIVE, "--quiet"]) == 4
    assert str(release) in capsys.readouterr().err.replace("release-hospital-only", "release") and archive.times == 0


def test_the_hospitals_folder_and_the_originals_are_refused(case, release):
    for folder in (case / "in", case / "in" / "thin"):
        with pytest.raises(NotReleased, match="no record"):
            find_released(folder)
    # As a release of volume files alone.
    with pytest.raises(NotReleased, match="holds no DICOM files"):
        find_released(release.with_name("release-hospital-only"))
    for nothing in (release / "nothing", release.with_name("empty")):
        release.with_name("empty").mkdir(exist_ok=True)
        with pytest.raises(InputError):
            find_released(nothing)


def test_a_file_changed_after_the_look_does_not_leave(release, archive):
    files = find_released(release)
    change_header(release / "series_01")
    sent = send_released(peer_at(archive.port), files)
    assert archive.times == len(sent.taken) == 3 and len(sent.left) == FILES - 3
    [reason] = sent.reasons
    assert "is not the file that was released any more" in reason


def test_a_file_that_is_refused_stops_no_other_and_is_told(release, capsys):
    with Archive(answer=lambda number: 0xA700 if number in (2, 5) else 0) as archive:
        words = ["send", str(release), "--to", f"127.0.0.1:{archive.port}", "--called", ARCHIVE, "--quiet"]
        assert main(words) == 5
    said = capsys.readouterr().out
    assert f"{FILES - 2} of {FILES} files were taken by {ARCHIVE}" in said and said.count("0xA700") == 1
    assert len(archive.got) == FILES - 2


def test_an_archive_that_breaks_off_is_told_with_what_it_took(release):
    with Archive() as archive:

        def answer(number):
            if number == 4:
                for association in archive.server.active_associations:
                    association.abort(block=False)
            return 0

        archive.answer = answer
        sent = send_released(peer_at(archive.port, timeout_s=5), find_released(release))
    assert 3 <= len(sent.taken) <= 4 and len(sent.taken) + len(sent.left) == FILES and "broke off" in sent.reasons[0]


def test_nobody_there_and_a_title_that_is_not_theirs(release):
    files = find_released(release)
    with pytest.raises(NotReached, match="cannot be reached"):
        send_released(peer_at(free_port(), timeout_s=5), files)
    with Archive() as archive:
        archive.server.ae.require_called_aet = True
        with pytest.raises(NotReached, match="called ae title not recognised"):
            send_released(Peer("127.0.0.1", archive.port, "OTHER"), files)


@pytest.mark.parametrize("address", ["no.such.host.invalid", "a..b", "a b", "x" * 70 + ".example", "http://archive", "::1"])
def test_a_name_that_leads_nowhere_is_one_sentence(release, capsys, address):
    peer = Peer(address, free_port(), ARCHIVE, timeout_s=5)
    with pytest.raises(NotReached, match=r"cannot be reached.*check address"):
        send_released(peer, find_released(release / "series_02"))
    with pytest.raises(NotReached, match=r"cannot be reached.*check address"):
        echo(peer)
    words = ["send", str(release), "--to", f"{address}:{peer.port}", "--called", ARCHIVE, "--timeout", "5", "--quiet"]
    assert main(words) == 5 and capsys.readouterr().err.count("\n") == 1


class LateEvent(type(threading.Event())):
    """As on a busy machine: who waits for it wakes late."""

    def wait(self, timeout=None):
        answer = super().wait(timeout)
        time.sleep(0.02)
        return answer


def test_no_answer_is_lost_on_a_busy_machine(release, archive):
    files = find_released(release / "series_02")
    peer = peer_at(archive.port, timeout_s=5)
    with associated(peer, contexts_of(files)) as association:
        late = association._reactor_checkpoint = LateEvent()
        late.set()
        send = association.dimse.send_msg
        # The sender is late too: its answer is there before it looks for it.
        association.dimse.send_msg = lambda *message: (send(*message), time.sleep(0.05))
        for file in files:
            store(association, file, peer)
    assert archive.times == 20


def test_an_archive_that_takes_no_ct_is_told(release):
    with Archive() as archive:
        ae = archive.server.ae
        for context in [
            one for one in ae.supported_contexts if str(one.abstract_syntax).startswith("1.2.840.10008.5.1.4.1.1.2")
        ]:
            ae.remove_supported_context(context.abstract_syntax)
        archive.server.contexts = ae.supported_contexts
        with pytest.raises(NotReached, match="takes no such files"):
            send_released(peer_at(archive.port), find_released(release))


def test_a_cancel_ends_it_within_a_second_also_where_nobody_answers(release):
    files = find_released(release)
    slow, progress = threading.Event(), Progress()
    with Archive(answer=lambda number: slow.wait(20) * 0 if number > 3 else 0) as archive:
        threading.Thread(target=lambda: (until(lambda: archive.times > 3), progress.cancel())).start()
        sent = send_released(peer_at(archive.port), files, progress)
        ended = time.monotonic()
        assert sent.cancelled and len(sent.taken) == 3 and sent.reasons == ("cancelled",)
        slow.set()
    assert time.monotonic() - ended < 20
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        progress = Progress()
        threading.Timer(0.3, progress.cancel).start()
        begun = time.monotonic()
        sent = send_released(peer_at(mute.getsockname()[1], timeout_s=6), files, progress)
        assert sent.cancelled and not sent.taken and time.monotonic() - begun < 3


def test_echo(archive):
    archive.server.ae.add_supported_context("1.2.840.10008.1.1")
    archive.server.contexts = archive.server.ae.supported_contexts
    echo(peer_at(archive.port))
    with pytest.raises(NotSent):
        echo(peer_at(free_port(), timeout_s=5))


def test_over_tls_both_sides_show_a_certificate(release, tmp_path, capsys):
    from CTADefaceLib.dicom.transfer.tls import server_context

    (tmp_path / "tls").mkdir()
    server, client = certificates(tmp_path / "tls", "server"), certificates(tmp_path / "tls", "client")
    server, client = (type(server)(one.certificate, one.key, other.ca) for one, other in ((server, client), (client, server)))
    with Archive(ssl_context=server_context(server)) as archive:
        words = ["send", str(release / "series_02"), "--to", f"127.0.0.1:{archive.port}", "--called", ARCHIVE, "--quiet"]
        assert main([*words, "--timeout", "5"]) == 5 and archive.times == 0
        assert main([*words, "--tls", str(client.certificate), str(client.key), str(client.ca)]) == 0
        assert archive.times == 20
        assert main([*words, "--tls", str(client.certificate), str(server.key), str(client.ca)]) == 4
    assert "cannot be used with" in capsys.readouterr().err


@pytest.mark.parametrize("peer", [Peer("", 104, "A"), Peer("a", 0, "A"), Peer("a", 104, "A" * 17), Peer("a", 104, "A", "Ä")])
def test_a_destination_that_cannot_be_is_refused(peer):
    with pytest.raises(UsageError):
        send_released(peer, [])
    with pytest.raises(UsageError):
        echo(peer)


@pytest.mark.parametrize(
    "to, timeout", [("archive", "30"), ("archive:", "30"), ("archive:x", "30"), ("archive:0", "30"), ("a:104", "0")]
)
def test_words_of_the_shell_that_cannot_be_are_refused(tmp_path, capsys, to, timeout):
    assert main(["send", str(tmp_path), "--to", to, "--called", ARCHIVE, "--timeout", timeout]) == 2
    assert "give" in capsys.readouterr().err
