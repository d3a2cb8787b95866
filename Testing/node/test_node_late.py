"""When a study is complete, what comes late to it, and what is deleted and forgotten."""

import threading

import pydicom
import pytest

from CTADefaceLib.node.arrivals import Arrivals
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_node import Archive, put_files, put_folder, quick_node, served, settled, state


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
        paths = readers.sorted_files(studies[0])
        put_files(node, paths[:30])
        node.look()
        assert state(node).destinations[0].waiting == 1
        put_files(node, paths[30:])
        node.look()
        archive.answer = lambda number: 0
        for _ in served(node):
            found = settled(node)
        assert list(archive.studies().values()) == [40] and found.destinations[0].sent == 1 and not found.recalls


def test_late_slices_of_a_study_that_was_sent_wait_for_a_person(node, archive, studies):
    paths = readers.sorted_files(studies[0])
    put_files(node, paths[:30])
    settled(node)
    assert archive.times == 30
    put_files(node, paths[30:])
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


def test_finished_studies_are_deleted_and_what_comes_again_of_them_is_known(node, archive, studies):
    put_folder(node, studies[0])
    settled(node)
    node.intake.tidy(before=float("inf"))
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
    put_files(node, paths[:39])
    [study] = node.intake.take()
    if was == "gone":
        # A person wants what came after the study was deleted.
        node.intake._forget_files(study)
        node.ledger.ask_again(study)
    node.spool.put(paths[39].read_bytes())
    own = getattr(node.intake, name)

    def killed(study):
        if after:
            own(study)
        raise KeyboardInterrupt

    monkeypatch.setattr(node.intake, name, killed)
    with pytest.raises(KeyboardInterrupt):
        node.intake.take()
    node.ledger.close()
    again = quick_node(tmp_path, archive.port, mask)
    again.arrivals._longer = again.arrivals._pause = 0
    again.intake.take()
    count = 1 if was == "gone" else 40
    assert len(list((again.config.studies / study).iterdir())) == count and again.ledger.studies("here") == [study]
    assert not [path for path in again.config.incoming.iterdir() if path.name != ".parts"]


def test_a_lost_database_loses_no_study(tmp_path, archive, mask, studies):
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    put_folder(node, studies[0])
    [study] = node.intake.take()
    node.ledger.close()
    for path in node.config.folder.glob("node.db*"):
        path.unlink()
    assert quick_node(tmp_path, archive.port, mask).ledger.studies("here") == [study]


def test_a_destination_that_is_configured_no_more_keeps_no_study_open(tmp_path, archive, mask, studies):
    node = quick_node(tmp_path, archive.port, mask)
    node.arrivals._pause = 0
    put_folder(node, studies[0])
    node.look()
    [study] = node.ledger.studies("here")
    node.ledger.withdraw_others(["research/another"])
    node.look()
    assert node.ledger.studies("finished") == [study] and not state(node).destinations[0].waiting
    node.intake.tidy(before=float("inf"))
    put_folder(node, studies[0])
    node.look()
    assert state(node).arriving == 0, "known still"
    node.ledger.forget_before(float("inf"))
    put_folder(node, studies[0])
    node.look()
    assert state(node).destinations[0].waiting == 1, "new again"
