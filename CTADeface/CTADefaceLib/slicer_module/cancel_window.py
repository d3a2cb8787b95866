"""A small window that says that work goes on, with a button to cancel it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .texts import _

if TYPE_CHECKING:
    from qt import QProgressDialog


class CancelWindow:
    """``show`` opens it, where there is a main window; while it is open, no other window takes clicks and keys.

    ``cancelled``: somebody has pressed its button, which closes it.
    """

    def __init__(self) -> None:
        self._window: QProgressDialog | None = None

    @property
    def shown(self) -> bool:
        """Has it been opened?"""
        return self._window is not None

    @property
    def cancelled(self) -> bool:
        """Has somebody pressed Cancel?"""
        return self._window is not None and bool(self._window.wasCanceled)

    def show(self) -> None:
        """Open it, unless it is open, or there is no main window."""
        main_window = slicer.util.mainWindow()
        if main_window is None or self._window is not None:
            return
        import qt

        # From 0 to 0: how far the work is, is not known.
        window = qt.QProgressDialog(_("This takes a moment..."), _("Cancel"), 0, 0, main_window)
        window.windowTitle = "CTADeface"
        window.objectName = "CTADefaceCancelWindow"
        window.windowModality = qt.Qt.ApplicationModal
        window.autoClose = window.autoReset = False
        window.minimumDuration = 0
        window.show()
        self._window = window

    def tell(self, fraction: float | None) -> None:
        """Show how far the work is, 0 to 1; None: not known."""
        # A value opens a window again that Cancel has closed.
        if self._window is not None and fraction is not None and not self.cancelled:
            self._window.maximum = 100
            self._window.value = round(100 * fraction)

    def close(self) -> None:
        """The work is done."""
        if self._window is not None:
            self._window.close()
            self._window.deleteLater()
        self._window = None
