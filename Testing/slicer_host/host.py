"""The ``Host``: what a test uses to run a module and to look at what it did."""

import time

import slicer
from PySide6 import QtCore

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import dialogs, python_packages, scripted_loader, small_modules


class Host:
    """A running stand-in for Slicer."""

    def __init__(self, app, main_window):
        self.app = app
        self.main_window = main_window
        self.dialogs = dialogs.DESK.shown
        self.answers = dialogs.DESK.answers
        self.packaging_calls = python_packages.CALLS
        self.samples = small_modules.SAMPLES

    def load_module(self, path):
        """Load a scripted module from its file, as Slicer does when it starts."""
        return scripted_loader.load(path)

    def startup(self):
        """Tell modules that the application is ready."""
        self.app.startupCompleted.emit()
        self.app.processEvents()

    def open_widget(self, module):
        """The user opens a module: returns the module's widget object after ``setup()`` and ``enter()``."""
        panel = module.widgetRepresentation()
        panel.enter()
        return panel.self()

    def enter(self, widget):
        """The user comes back to a module."""
        widget.parent.enter()

    def leave(self, widget):
        """The user goes to another module."""
        if widget.parent.isEntered:
            widget.parent.exit()

    def close(self, widget):
        """The module is unloaded: exit, cleanup, and its widgets are deleted."""
        self.leave(widget)
        panel = widget.parent
        self.app.moduleManager().moduleAboutToBeUnloaded.emit(panel._owner.name)
        panel._owner._panel = None
        panel.deleteLater()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)

    def reload(self, widget):
        """The developer's Reload button: new code, new widget object in the same panel."""
        panel = widget.parent
        slicer.util.reloadScriptedModule(panel._owner.name)
        return panel.self()

    def spin(self, until=0.0, timeout=10.0):
        """Run the event loop for some seconds, or until a function is true; returns whether it became true."""
        waiting = callable(until)
        end = time.monotonic() + (timeout if waiting else until)
        while True:
            self.app.processEvents()
            if waiting and until():
                return True
            if time.monotonic() >= end:
                return not waiting
            time.sleep(0.005)

    def grab(self, widget, path, size=None):
        """Save a picture of a widget (a Qt widget or a module's widget object) as PNG."""
        target = getattr(widget, "parent", widget)
        target = widget if callable(target) else target
        if size:
            target.resize(*size)
        # Not shown for it: the offscreen platform crashes on some windows of their own.
        if not target.grab().save(str(path)):
            raise OSError(f"the picture could not be written to {path}")
        return path

    def segment_editor_calls(self, editor):
        """What was called on a segment editor, as tuples of name and arguments."""
        return list(editor._calls)

    def clear_scene(self):
        """Close the scene, as the user does."""
        slicer.mrmlScene.Clear(0)
        self.app.layoutManager() and self.app._layout._complete()
        self.app.processEvents()

    def reset(self):
        """Forget dialogs, answers and recorded calls, and close the scene."""
        for kept in (self.dialogs, self.answers, self.packaging_calls, self.samples):
            kept.clear()
        python_packages.ACTION["install"] = None
        self.app.commandOptions().testingEnabled = False
        self.clear_scene()

    def on_install(self, action):
        """What a package installation does in this test: a function of the requirements."""
        python_packages.ACTION["install"] = action

    def quit(self):
        """The user ends the application."""
        self.app.aboutToQuit.emit()
        self.app.processEvents()
