"""A study's way through a node: defaced, held or sent, and what a person decides."""

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pydicom

from CTADefaceLib.batch.correct import correct, open_case, reject
from CTADefaceLib.batch.manifest import Manifest
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.review_queue import mark as decide
from CTADefaceLib.batch.run_batch import Batch
from CTADefaceLib.checks import every
from CTADefaceLib.node.ledger import Ledger
from CTADefaceLib.node.node_status import look
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_node import Archive, put_files, put_folder, quick_node, served, settled, state, until


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
    node.intake.tidy(before=float("inf"))
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
    node.defacing._told = lambda release, entry: None
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
    assert "is not the file that was released" in look(node.config, Ledger(node.config.folder)).destinations[0].error
    assert original_uid(original) not in archive.got and len(archive.got) < 40


def original_uid(path):
    return pydicom.dcmread(path).SOPInstanceUID


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
    [(due,)] = node.ledger.rows("SELECT due FROM retry")
    assert 0 < due - time.time() <= 60 and not node.ledger.to_try_again("research")
    make_due(node)
    found = settled(node)
    assert archive.times == 40 and not found.held and not node.ledger.rows("SELECT * FROM retry")


def make_due(node):
    with node.ledger._change() as db:
        db.execute("UPDATE retry SET due = 0")


def test_a_study_during_which_the_node_was_killed_three_times_is_tried_again_later(node, archive, studies):
    put_folder(node, studies[0])
    [study] = node.intake.take()
    queue = node.config.folder / "hospital" / "research"
    release, run_batch = node.config.releases[0], node.defacing._run
    # As the manifest of a node that was killed each time.
    Batch(node.config.studies, node.config.output(release), release.options_in(queue))._begin(None, "numbered")
    started = {
        "case": study,
        "kind": "dicom",
        "input": f"../../studies/{study}",
        "status": "started",
        "outputs": [],
        "folder": "study_0001",
    }
    Manifest(queue / "batch.jsonl").add(*[started] * 3)
    run_batch(release)
    [held] = state(node).held
    assert "died 3 times" in held.reason
    # Each time the pause is twice as long, also for a node that was started anew.
    pauses = []
    for _ in range(3):
        node.ledger.tried(study, "research", 60, 200)
        pauses.append(round(node.ledger.rows("SELECT due FROM retry")[0][0] - time.time()))
    assert pauses == [120, 200, 200]
    make_due(node)
    assert not settled(node).held and archive.times == 40


def test_a_release_that_cannot_be_run_is_said_and_nothing_is_lost(node, archive, studies, tmp_path, mask):
    """As after headers were to be cleaned from one day to the other, which would mix two kinds in one folder."""
    put_folder(node, studies[0])
    settled(node)
    node._stop_senders()
    release = node.config.releases[0]
    other = replace(node.config, releases=(replace(release, options=replace(release.options, deidentify_headers=True)),))
    node.defacing._config = other
    put_folder(node, studies[1])
    node.look()
    [held] = state(node).held
    assert held.kind == "no study can be defaced" and "headers cleaned" in held.reason and state(node).to_deface == 1
    node.defacing._config = node.config
    node.defacing._unrun["research"].due = 0
    node.look()
    assert not state(node).held and state(node).destinations[0].waiting == 1


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
        paths = readers.sorted_files(studies[0])
        put_files(node, paths[:30])
        node.look()
        assert len(list((node.config.folder / "release").rglob("*.dcm"))) == 30
        blocking(monkeypatch)
        put_files(node, paths[30:])
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
