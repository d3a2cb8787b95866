"""A study's way through a node: complete, defaced, held or sent; what comes late; what a person decides."""

import json
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from CTADefaceLib.batch.correct import correct, open_case, reject
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.review_queue import mark as decide
from CTADefaceLib.checks import every
from CTADefaceLib.node.arrivals import Arrivals
from CTADefaceLib.node.node_status import look
from helpers import dicom_maker as maker
from helpers.dicom_node import Archive, put_folder, quick_node, until


@pytest.fixture
def archive():
    with Archive() as one:
        yield one


@pytest.fixture
def node(tmp_path, archive, mask):
    """A node whose studies are complete at once, with its sending thread."""
    made = quick_node(tmp_path, archive.port, mask)
    made.arrivals._pause = 0
    yield from served(made)


def served(node):
    for sender in node.senders:
        sender.start()
    yield node
    node._stop_senders()
    node.ledger.close()


def state(node):
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


def blocking(monkeypatch):
    """From now on a check of every case fails; returns a function that ends it."""
    checks_of = every.run_checks

    def run_checks(*arguments):
        first, *others = checks_of(*arguments)
        return [replace(first, verdict="fail"), *others]

    monkeypatch.setattr(every, "run_checks", run_checks)
    return lambda: monkeypatch.setattr(every, "run_checks", checks_of)


def test_two_studies_come_out_once_each_and_without_their_faces(node, archive, studies):
    for folder in studies:
        put_folder(node, folder)
    found = settled(node)
    assert sorted(archive.studies().values()) == [40, 40] and archive.times == 80
    assert found.destinations[0].sent == 2 and not found.held and node.ledger.studies("finished")
    originals = {path.name: pydicom.dcmread(path) for folder in studies for path in folder.rglob("*.dcm")}
    for dataset in archive.got.values():
        assert dataset.RecognizableVisualFeatures == "NO"
        assert dataset.SOPInstanceUID not in {one.SOPInstanceUID for one in originals.values()}
    # The localizer was held back, and the manifest says why.
    entries = [json.loads(line) for line in (node.config.folder / "hospital/research/batch.jsonl").open()]
    assert any("localizer" in text for line in entries for text in line.get("not_defaced", ()))
    # Nothing is done twice.
    settled(node)
    assert archive.times == 80


def test_a_study_is_complete_after_a_pause_without_its_sender():
    arrivals = Arrivals(0, 1000)
    arrivals.came("a", sender := object())
    assert arrivals.complete() == []
    arrivals.ended(sender, well=True)
    assert arrivals.complete() == ["a"]
    arrivals.came("b", sender)
    arrivals.ended(sender, well=False)
    assert arrivals.complete() == ["a"] and arrivals.broken() == ["b"]
    arrivals.came("b", sender)
    arrivals.ended(sender, well=True)
    assert arrivals.complete() == ["a", "b"]
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    arrivals.came("d", dead)
    assert "d" not in arrivals.complete() and arrivals.broken() == ["d"]
    assert Arrivals(1000, 1000, ["c"]).complete() == [] and Arrivals(0, 1000, ["c"]).complete() == []


def test_late_slices_reopen_a_study_that_was_not_sent(tmp_path, mask, studies):
    with Archive(answer=lambda number: 0xA700) as archive:
        node = quick_node(tmp_path, archive.port, mask)
        node.arrivals._pause = 0
        paths = sorted(studies[0].glob("*.dcm"), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
        for path in paths[:30]:
            node.spool.put(path.read_bytes())
        node.look()
        assert state(node).destinations[0].waiting == 1
        for path in paths[30:]:
            node.spool.put(path.read_bytes())
        node.look()
        archive.answer = lambda number: 0
        for _ in served(node):
            found = settled(node)
        assert list(archive.studies().values()) == [40] and found.destinations[0].sent == 1 and not found.recalls


def test_late_slices_of_a_study_that_was_sent_wait_for_a_person(node, archive, studies):
    paths = sorted(studies[0].glob("*.dcm"), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    for path in paths[:30]:
        node.spool.put(path.read_bytes())
    settled(node)
    assert archive.times == 30
    for path in paths[30:]:
        node.spool.put(path.read_bytes())
    [held] = settled(node).held
    assert held.kind == "came after the study was sent" and "10 files" in held.reason and archive.times == 30
    assert node.ledger.ask_again(held.study)
    found = settled(node)
    assert archive.times == 70 and not found.held and list(archive.studies().values()) == [70]
    # The archive still has the version of before.
    assert [recall.study for recall in found.recalls] == [held.study]


def test_a_late_report_is_put_aside_and_alarms_nobody(node, archive, studies, tmp_path):
    put_folder(node, studies[0])
    settled(node)
    study = maker.Study(str(pydicom.dcmread(next(studies[0].glob("*.dcm"))).StudyInstanceUID))
    maker.write_other(tmp_path / "dose.dcm", "1.2.840.10008.5.1.4.1.1.88.67", "SR", study)
    node.spool.put((tmp_path / "dose.dcm").read_bytes())
    found = settled(node)
    assert not found.held and archive.times == 40 and len(list((node.config.folder / "aside").rglob("*.dcm"))) == 1


def test_what_the_gate_stops_waits_and_goes_out_when_a_person_has_corrected_it(node, archive, studies, monkeypatch):
    unblock = blocking(monkeypatch)
    put_folder(node, studies[0])
    [held] = settled(node).held
    assert held.kind == "stopped by checks" and held.release == "research" and archive.times == 0
    unblock()
    queue = node.config.folder / "hospital" / "research"
    [item] = load_queue(queue)
    _volume, shown = open_case(item)
    correct(queue, item, shown.stored > 0, shown.geometry, by="Dr A. Author")
    found = settled(node)
    assert archive.times == 40 and not found.held and found.destinations[0].sent == 1


def test_with_review_of_every_study_none_leaves_unseen(tmp_path, archive, mask, studies):
    node = quick_node(tmp_path, archive.port, mask, release='review = "every"')
    node.arrivals._pause = 0
    for _ in served(node):
        for folder in studies:
            put_folder(node, folder)
        assert [one.kind for one in settled(node).held] == ["waits for a person"] * 2 and archive.times == 0
        queue = node.config.folder / "hospital" / "research"
        first, second = load_queue(queue)
        decide(queue, first, "accepted", by="Dr A. Author")
        reject(queue, second, by="Dr A. Author")
        found = settled(node)
        assert archive.times == 40 and [one.kind for one in found.held] == ["rejected by a person"]
        assert not found.recalls and len(node.ledger.studies("finished")) == 2


def test_a_correction_of_what_was_sent_is_sent_and_the_old_one_is_to_be_deleted(node, archive, studies):
    put_folder(node, studies[0])
    settled(node)
    queue = node.config.folder / "hospital" / "research"
    [item] = load_queue(queue)
    _volume, shown = open_case(item)
    face = shown.stored > 0
    front = np.argwhere(face)[:, 1].min()
    face[face.shape[0] // 2, front - 2 : front, 30:34] = True
    archive.answer = lambda number: 0xA700
    correct(queue, item, face, shown.geometry)
    node.look()
    # Finished as it was, it is not deleted as long as its correction is on its way.
    node.laying.tidy(before=float("inf"))
    assert state(node).destinations[0].waiting == 1 and node.ledger.studies("finished")
    archive.answer = lambda number: 0
    found = settled(node)
    assert len(archive.got) == 80 and len(found.recalls) == 1 and found.recalls[0].destination == "research/archive"
    [item] = load_queue(queue)
    reject(queue, item)
    found = settled(node)
    assert len(archive.got) == 80 and len(found.recalls) == 2


def test_files_that_are_not_what_the_gate_released_never_leave(tmp_path, archive, mask, studies):
    """Neither those that were there before they were checked, nor those that were put there afterwards."""
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    put_folder(node, studies[0])
    consider = node.outbox.consider
    node.through._told = lambda release, entry: None
    node.outbox.consider = lambda release, entry: None
    node.look()
    # The original takes the place of a defaced file, as a hand that errs would put it.
    [series] = (node.config.folder / "release/research").glob("*/series_*")
    victim = sorted(series.iterdir())[20]
    good = victim.read_bytes()
    position = pydicom.dcmread(victim).ImagePositionPatient
    original = next(p for p in studies[0].glob("*.dcm") if pydicom.dcmread(p).ImagePositionPatient == position)
    shutil.copy(original, victim)
    node.outbox.consider = consider
    node.look()
    [held] = state(node).held
    assert held.kind == "not what the gate released" and not state(node).destinations[0].waiting
    victim.write_bytes(good)
    node.outbox._looked_at.clear()
    node.look()
    assert state(node).destinations[0].waiting == 1 and not state(node).held
    shutil.copy(original, victim)
    for _ in served(node):
        until(lambda: state(node).destinations[0].attempts >= 2)
    assert "is not the file that was released" in look(node.config, reopened(node)).destinations[0].error
    assert original_uid(original) not in archive.got and len(archive.got) < 40


def reopened(node):
    from CTADefaceLib.node.ledger import Ledger

    return Ledger(node.config.folder)


def original_uid(path):
    return pydicom.dcmread(path).SOPInstanceUID


def test_finished_studies_are_deleted_and_what_comes_again_of_them_is_known(node, archive, studies):
    put_folder(node, studies[0])
    settled(node)
    node.laying.tidy(before=float("inf"))
    assert not list((node.config.folder / "studies").iterdir()) and not list((node.config.folder / "release").rglob("*.dcm"))
    put_folder(node, studies[0])
    found = settled(node)
    assert archive.times == 40 and found.deleted == 1 and found.arriving == 0
    [study] = node.ledger.studies("gone")
    node.ledger.ask_again(study)
    node.look()
    put_folder(node, studies[0])
    settled(node)
    assert archive.times == 80


@pytest.mark.parametrize("name", ["_take_out_results", "_take_in", "_reopen"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("was", ["here", "gone"])
def test_a_kill_while_late_files_are_taken_in_loses_none(tmp_path, archive, mask, studies, monkeypatch, was, name, after):
    """Stopped before or after each of the steps, and started again, the study is whole, and is to be defaced."""
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    paths = sorted(studies[0].glob("*.dcm"))
    for path in paths[:39]:
        node.spool.put(path.read_bytes())
    [study] = node.laying.lay()
    if was == "gone":
        # A person wants what came after the study was deleted.
        node.laying._forget_files(study)
        node.ledger.ask_again(study)
    node.spool.put(paths[39].read_bytes())
    own = getattr(node.laying, name)

    def killed(study):
        if after:
            own(study)
        raise KeyboardInterrupt

    monkeypatch.setattr(node.laying, name, killed)
    with pytest.raises(KeyboardInterrupt):
        node.laying.lay()
    node.ledger.close()
    again = quick_node(tmp_path, archive.port, mask)
    again.arrivals._longer = again.arrivals._pause = 0
    again.laying.lay()
    count = 1 if was == "gone" else 40
    assert len(list((again.config.studies / study).iterdir())) == count and again.ledger.studies("here") == [study]
    assert not [path for path in again.config.incoming.iterdir() if path.name != ".parts"]


def test_a_lost_database_loses_no_study(tmp_path, archive, mask, studies):
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    put_folder(node, studies[0])
    [study] = node.laying.lay()
    node.ledger.close()
    for path in node.config.folder.glob("node.db*"):
        path.unlink()
    assert quick_node(tmp_path, archive.port, mask).ledger.studies("here") == [study]


def test_a_full_disk_while_a_study_is_defaced_is_tried_again(node, archive, studies, monkeypatch):
    from CTADefaceLib.dicom import patch

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(patch, "save", full)
        put_folder(node, studies[0])
        node.look()
    [held] = state(node).held
    assert held.kind == "failed" and "free space" in held.reason and archive.times == 0
    [retry] = node.through._retries.values()
    assert 0 < retry.due - time.monotonic() <= 60
    retry.due = 0
    found = settled(node)
    assert archive.times == 40 and not found.held


def test_a_release_that_cannot_be_run_is_said_and_nothing_is_lost(node, archive, studies, tmp_path, mask):
    """As after headers were to be cleaned from one day to the other, which would mix two kinds in one folder."""
    put_folder(node, studies[0])
    settled(node)
    node._stop_senders()
    release = node.config.releases[0]
    other = replace(node.config, releases=(replace(release, options=replace(release.options, deidentify_headers=True)),))
    node.through._config = other
    put_folder(node, studies[1])
    node.look()
    [held] = state(node).held
    assert held.kind == "no study can be defaced" and "headers cleaned" in held.reason and state(node).to_deface == 1
    node.through._config = node.config
    node.through._unrun["research"].due = 0
    node.look()
    assert not state(node).held and state(node).destinations[0].waiting == 1


def test_a_destination_that_is_configured_no_more_keeps_no_study_open(tmp_path, archive, mask, studies):
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    put_folder(node, studies[0])
    node.look()
    [study] = node.ledger.studies("here")
    node.ledger.withdraw_others(["research/another"])
    node.look()
    assert node.ledger.studies("finished") == [study] and not state(node).destinations[0].waiting
    node.laying.tidy(before=float("inf"))
    put_folder(node, studies[0])
    node.look()
    assert state(node).arriving == 0, "known still"
    node.ledger.forget_before(float("inf"))
    put_folder(node, studies[0])
    node.look()
    assert state(node).destinations[0].waiting == 1, "new again"


def test_a_study_whose_slopes_differ_by_slice_is_known_as_released(node, archive, tmp_path):
    """Each file rounds the fill in its own slope; the record holds the hash of what is in the files."""
    maker.write_series(tmp_path / "slopes", maker.sparse(), rescale=lambda k: (1.0 + (k % 3) * 0.25, -1000.0 - k))
    put_folder(node, tmp_path / "slopes")
    assert not settled(node).held and archive.times == 40


def test_nothing_of_an_earlier_version_stays_when_the_gate_stops_the_whole_study(tmp_path, mask, studies, monkeypatch):
    """A person who accepts what was released of it must not release slices of before."""
    with Archive(answer=lambda number: 0xA700) as archive:
        node = quick_node(tmp_path, archive.port, mask)
        node.arrivals._pause = 0
        paths = sorted(studies[0].glob("*.dcm"), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
        for path in paths[:30]:
            node.spool.put(path.read_bytes())
        node.look()
        assert len(list((node.config.folder / "release").rglob("*.dcm"))) == 30
        blocking(monkeypatch)
        for path in paths[30:]:
            node.spool.put(path.read_bytes())
        node.look()
        [held] = state(node).held
        assert held.kind == "stopped by checks" and not list((node.config.folder / "release").rglob("*.dcm"))
        [item] = load_queue(node.config.folder / "hospital" / "research")
        assert not item.outputs


def test_a_manifest_that_names_other_files_lets_none_of_them_out(node, archive, studies):
    put_folder(node, studies[0])
    settled(node)
    [study] = node.ledger.studies("finished")
    queue = node.config.folder / "hospital" / "research"
    [item] = load_queue(queue)
    decide(queue, item, "accepted", outputs=[node.config.studies / study])
    [held] = settled(node).held
    assert held.kind == "not what the gate released" and "lies outside of" in held.reason and archive.times == 40


def test_each_release_has_its_headers_its_review_and_its_destinations(tmp_path, archive, mask, studies):
    second = """
[[release.destination]]
name = "copy"
ae_title = "COPY"
address = "127.0.0.1"
port = {}
[[release]]
name = "project"
deidentify_headers = true
review = "every"
[[release.destination]]
name = "archive"
ae_title = "PROJECT"
address = "127.0.0.1"
port = {}
"""
    with Archive() as copy, Archive() as project:
        node = quick_node(tmp_path, archive.port, mask, more=second.format(copy.port, project.port))
        node.arrivals._pause = 0
        for _ in served(node):
            put_folder(node, studies[0])
            [held] = settled(node).held
            assert held.release == "project" and len(archive.got) == len(copy.got) == 40 and not project.got
            assert not node.ledger.studies("finished")
            queue = node.config.folder / "hospital" / "project"
            decide(queue, *load_queue(queue), "accepted", by="Dr A. Author")
            assert not settled(node).held and node.ledger.studies("finished")
    assert {str(one.PatientID) for one in archive.got.values()} == {"ID4711"} and set(archive.got) == set(copy.got)
    assert {str(one.PatientID)[:4] for one in project.got.values()} == {"CTA-"} and len(project.got) == 40
