"""Qt in the Slicer stand-in: does it behave as PythonQt, also where PySide6 would not?"""

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("PySide6", reason="Qt is not installed")


def test_properties_are_attributes_and_mistakes_are_errors(host):
    """As in PythonQt; code that works only with PySide must not pass."""
    import qt

    label = qt.QLabel("one")
    label.text = "two"
    label.name = "status"
    assert (label.text, label.objectName) == ("two", "status")
    with pytest.raises(TypeError):
        label.text()
    with pytest.raises(AttributeError, match="not allowed"):
        label.txet = "three"
    with pytest.raises(AttributeError):
        label.click = None
    label.setText("four")
    assert label.text == "four" and label.isVisible() is False


def test_python_subclasses_may_have_attributes(host):
    """PythonQt forbids new attributes only on C++ classes."""
    import qt

    class Panel(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.count = 3

    assert Panel().count == 3


def test_signals_connect_by_text(host):
    """The number of arguments is the one of the text; unknown signals are errors."""
    import qt

    got = []
    button = qt.QPushButton("go")

    def with_value(*values):
        got.append(values)

    button.connect("clicked(bool)", with_value)
    button.connect("clicked()", with_value)
    button.click()
    assert sorted(got) == [(), (False,)]
    assert button.disconnect("clicked(bool)", with_value)
    assert not button.disconnect("clicked(bool)", with_value)
    button.click()
    assert got[-1] == () and len(got) == 3
    with pytest.raises(ValueError, match="no signal"):
        button.connect("cliked()", with_value)


def test_timers_run_in_the_event_loop(host):
    """Both kinds of timers fire while the host spins."""
    import qt

    got = []
    timer = qt.QTimer()
    timer.setInterval(5)
    timer.singleShot = True
    timer.connect("timeout()", lambda: got.append("timer"))
    timer.start()
    qt.QTimer.singleShot(0, lambda: got.append("shot"))
    assert timer.interval == 5
    assert host.spin(lambda: len(got) == 2, timeout=5)


def test_dialogs_are_recorded_and_answered(host, tmp_path):
    """No dialog blocks; the default answer is yes."""
    import qt
    import slicer

    host.answers.extend([False, str(tmp_path)])
    assert slicer.util.confirmYesNoDisplay("Delete?") is False
    assert qt.QFileDialog.getExistingDirectory(None, "Where", "") == str(tmp_path)
    assert slicer.util.confirmOkCancelDisplay("Really?") is True
    slicer.util.errorDisplay("It failed", detailedText="why")
    assert [dialog.kind for dialog in host.dialogs] == ["confirm", "file", "confirm", "error"]
    assert (host.dialogs[-1].text, host.dialogs[-1].details) == ("It failed", "why")
    assert qt.QDialog().exec_() == 1
