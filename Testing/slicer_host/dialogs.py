"""Dialogs that never block: what they say is recorded, the answer comes from a queue."""

from collections import deque
from dataclasses import dataclass, field

from PySide6 import QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

_KINDS = {"Critical": "error", "Warning": "warning", "Information": "info", "Question": "confirm"}
_POSITIVE = ("Yes", "Ok", "Retry", "Save", "Open", "Apply")
_NEGATIVE = ("No", "Cancel", "Close", "Abort")


@dataclass
class Dialog:
    """One dialog that was shown: its kind (error, warning, info, confirm, message, file, dialog) and text."""

    kind: str
    text: str
    title: str = ""
    details: str = ""
    answer: object = None
    widget: object = field(default=None, repr=False)


class Desk:
    """Keeps the shown dialogs and the answers still to be given."""

    def __init__(self):
        self.answers = deque()
        self.shown = []

    def decide(self, dialog, default):
        """Record a dialog; the next queued answer (a value, or a function of the dialog), else ``default``."""
        self.shown.append(dialog)
        answer = self.answers.popleft() if self.answers else default
        dialog.answer = answer(dialog) if callable(answer) else answer
        return dialog.answer

    def run(self, widget, *_):
        """Stands for ``exec_()`` of any dialog or menu."""
        if isinstance(widget, QtWidgets.QMessageBox):
            return self._run_message_box(widget)
        title = getattr(widget, "windowTitle", "")
        if isinstance(widget, QtWidgets.QMenu):
            return self.decide(Dialog("menu", title, widget=widget), None)
        answer = self.decide(Dialog("dialog", title, title, widget=widget), 1)
        widget.done(int(answer))
        return int(answer)

    def _run_message_box(self, box):
        kind = _KINDS.get(box.icon.name, "message")
        dialog = Dialog(kind, box.text, box.windowTitle, box.detailedText, widget=box)
        answer = self.decide(dialog, True)
        return _button(box.standardButtons, answer)


DESK = Desk()


def _button(buttons, answer):
    """The standard button that stands for True or False among those offered; other answers stay as they are."""
    if not isinstance(answer, bool):
        return answer
    names = _POSITIVE if answer else _NEGATIVE
    choices = [getattr(QtWidgets.QMessageBox, name) for name in names]
    return next((choice for choice in choices if buttons & choice), choices[0])


def _static(kind, default_buttons):
    """One of QMessageBox's static functions."""

    def ask(parent=None, title="", text="", buttons=default_buttons, *_):
        answer = DESK.decide(Dialog(kind, text, title), True)
        return _button(buttons, answer)

    return staticmethod(ask)


class QMessageBox(QtWidgets.QMessageBox):
    """Qt's message box whose static functions do not wait for a user."""

    stands_for_cpp = True

    question = _static("confirm", QtWidgets.QMessageBox.Yes | QtWidgets.QMessageBox.No)
    information = _static("info", QtWidgets.QMessageBox.Ok)
    warning = _static("warning", QtWidgets.QMessageBox.Ok)
    critical = _static("error", QtWidgets.QMessageBox.Ok)


def _file(parent=None, caption="", directory="", *_, **__):
    """Any of QFileDialog's static functions: a plain string as in PythonQt, empty when cancelled."""
    answer = DESK.decide(Dialog("file", caption, caption, details=str(directory)), "")
    return str(answer) if answer else ""


def _files(parent=None, caption="", directory="", *_, **__):
    """QFileDialog.getOpenFileNames: a list of strings."""
    answer = DESK.decide(Dialog("file", caption, caption, details=str(directory)), ())
    return [str(path) for path in ([answer] if isinstance(answer, str) else answer or ())]


class QFileDialog(QtWidgets.QFileDialog):
    """Qt's file dialog whose static functions answer from the queue."""

    stands_for_cpp = True

    getOpenFileName = staticmethod(_file)
    getSaveFileName = staticmethod(_file)
    getExistingDirectory = staticmethod(_file)
    getOpenFileNames = staticmethod(_files)


class ctkMessageBox(QMessageBox):
    """Message box with a 'do not show again' key; the key is kept but never suppresses the dialog."""

    stands_for_cpp = True
    _settings_key = ""


def _key_property():
    from PySide6.QtCore import Property

    return Property(str, lambda self: self._settings_key, lambda self, key: setattr(self, "_settings_key", key))


ctkMessageBox.dontShowAgainSettingsKey = _key_property()
