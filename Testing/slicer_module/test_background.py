"""Long work in a thread: a window offers to cancel it, and what is cancelled leaves nothing behind."""

import threading
import time
import types

import pytest

from CTADefaceLib.errors import Cancelled

WINDOW = "CTADefaceCancelWindow"


@pytest.fixture
def background(module, slicer, head, masked, monkeypatch):
    from CTADefaceLib.slicer_module import background

    # After the scene was made, which nobody should cancel.
    monkeypatch.setattr(background, "PATIENCE_S", 0.1)
    return background


def windows():
    import qt

    # Those of earlier tests are deleted by the event loop only.
    return [w for w in qt.QApplication.topLevelWidgets() if w.objectName == WINDOW and w.visible]


@pytest.fixture
def person(slicer, masked):
    """Presses Cancel in the window of long work as soon as it is there; ``seen`` what the window was like."""
    import qt

    person = types.SimpleNamespace(seen=[])

    def press():
        for window in windows():
            (button,) = window.findChildren(qt.QPushButton)
            person.seen.append((button.text, window.windowModality, window.maximum, window.value))
            button.click()

    timer = qt.QTimer()
    timer.setInterval(20)
    timer.connect("timeout()", press)
    timer.start()
    yield person
    timer.stop()


def wait_for(person):
    """Wait in a thread until Cancel was pressed."""
    end = time.monotonic() + 10
    while not person.seen and time.monotonic() < end:
        time.sleep(0.02)
    # Work that ends before the click was noticed is done.
    time.sleep(0.5)


def test_work_is_done_in_a_thread_and_its_errors_come_back(background):
    assert background.in_background(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        background.in_background(lambda: 1 / 0)
    assert not background.at_work() and not windows()


def test_short_work_opens_no_window(background, person, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 5.0)
    assert background.in_background(lambda: time.sleep(0.3) or "done") == "done"
    assert person.seen == []


def test_long_work_is_cancelled_at_once_and_may_end_unheeded(background, person):
    import qt

    end = threading.Event()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        background.in_background(lambda: end.wait(30))
    assert time.monotonic() - begun < 10 and not end.is_set()
    end.set()
    # Nothing else in the application may be clicked meanwhile.
    assert person.seen == [("Cancel", qt.Qt.ApplicationModal, 0, -1)]
    assert not background.at_work() and not windows()


def test_a_click_that_comes_as_the_work_ends_still_cancels(background, person):
    with pytest.raises(Cancelled):
        # It sees the click before the main thread does, and ends.
        background.in_background(lambda: [time.sleep(0.01) for _ in range(1000) if not person.seen])


def test_work_that_writes_is_told_to_stop_and_its_end_is_waited_for(background, person):
    told = []

    def work(progress):
        progress.begin("write")
        progress.enter("write")
        try:
            for _ in range(1000):
                progress.update(0.5)
                time.sleep(0.02)
        finally:
            time.sleep(0.2)
            told.append("cleaned up")

    with pytest.raises(Cancelled):
        background.stoppable_in_background(work)
    assert told == ["cleaned up"] and len(person.seen) == 1
    # How far it was is shown.
    assert person.seen[0][2:] == (100, 50)


def test_without_a_main_window_there_is_no_window_to_cancel(background, slicer, monkeypatch):
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    assert background.in_background(lambda: time.sleep(0.4) or "done") == "done"


def test_later_work_leaves_the_person_alone_and_answers_in_the_main_thread(background, host):
    later, answers = background.Later(), []
    gate = threading.Event()
    later.start(
        lambda: gate.wait(30) and threading.get_ident(), lambda answer: answers.append((answer, threading.get_ident()))
    )
    host.spin(0.1)
    assert later.busy and answers == []
    gate.set()
    assert host.spin(lambda: answers, 10) and not later.busy
    worker, main = answers[0]
    assert main == threading.get_ident() != worker
    later.drop()


def test_the_answer_of_later_work_waits_for_the_end_of_a_stroke(background, host, slicer, monkeypatch):
    import qt

    later, answers, pressed = background.Later(), [], [qt.Qt.LeftButton]
    monkeypatch.setattr(type(slicer.app), "mouseButtons", lambda *_: pressed[0])
    later.start(lambda: "answer", answers.append)
    host.spin(0.3)
    assert answers == [] and later.busy
    pressed[0] = qt.Qt.NoButton
    assert host.spin(lambda: answers, 10)
    later.drop()


def test_later_work_that_is_dropped_or_replaced_is_not_heard_of(background, host):
    later, answers = background.Later(), []
    later.start(lambda: "first", answers.append)
    later.start(lambda: "second", answers.append)
    assert host.spin(lambda: answers, 10)
    later.start(lambda: "third", answers.append)
    later.drop()
    host.spin(0.2)
    assert answers == ["second"] and not later.busy
    later.drop()


def test_later_work_without_a_listener_keeps_its_answer_until_it_is_fetched(background, host):
    later, gate = background.Later(), threading.Event()
    later.start(lambda: gate.wait(30) and threading.get_ident())
    host.spin(0.1)
    gate.set()
    assert host.spin(lambda: later._timer is None, 10) and later.busy
    assert later.answer() != threading.get_ident() and not later.busy
    later.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        later.answer()


def test_an_export_that_is_cancelled_leaves_no_file(background, person, host, logic, head, masked, tmp_path, monkeypatch):
    from CTADefaceLib.slicer_module.export import file_export

    monkeypatch.setattr(background, "PATIENCE_S", 60)
    output = logic.applyFill(head, masked)
    writing, write = [], file_export.write_new

    def slowly(*arguments):
        monkeypatch.setattr(background, "PATIENCE_S", 0.1)
        write(*arguments)
        writing.append(sorted(path.name for path in tmp_path.rglob("*") if path.is_file()))
        wait_for(person)

    monkeypatch.setattr(file_export, "write_new", slowly)
    with pytest.raises(Cancelled):
        logic.exportVolume(output, tmp_path / "release" / "a.nii.gz", report=True)
    assert writing and writing[0]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.setattr(file_export, "write_new", write)
    monkeypatch.setattr(background, "PATIENCE_S", 60)
    record = logic.exportVolume(output, tmp_path / "release" / "a.nii.gz")
    assert record.is_file() and (tmp_path / "release" / "a.nii.gz").is_file()


def test_segmenting_that_is_cancelled_before_it_begins_leaves_the_worker_free(background, person, logic, head, monkeypatch):
    from CTADefaceLib.slicer_module.shared_worker import shared_worker

    worker = shared_worker()
    segment = worker.segment

    def slowly(*arguments, **named):
        job = segment(*arguments, **named)
        wait_for(person)
        return job

    monkeypatch.setattr(worker, "segment", slowly)
    with pytest.raises(Cancelled):
        logic.startSegmentation(head)
    assert person.seen and not worker.busy
