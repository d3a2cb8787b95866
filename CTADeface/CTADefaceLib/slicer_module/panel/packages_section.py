"""Python packages: what is missing, install, repair."""

from contextlib import contextmanager

from ..background import in_background
from ..packages.consent import Declined
from ..packages.install import ensure_for, install, repair
from ..packages.installed import state
from ..texts import _
from .section import errors_shown


class PackagesSection:
    """What is missing, and the buttons that install and repair."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.ui.installButton.connect("clicked(bool)", lambda _checked=False: self._do(install))
        self.ui.repairButton.connect("clicked(bool)", lambda _checked=False: self._do(repair))
        self.ui.packagesSection.connect("contentsCollapsed(bool)", lambda collapsed: self.look())

    def look(self):
        """Say what is missing; only while the section is open, as it reads many files."""
        if not self.ui.packagesSection.collapsed:
            now = state()
            self.ui.packagesLabel.text = _("All packages are installed.") if now.ready else now.reason
            self.ui.installButton.enabled = not now.ready

    def open(self):
        """Open the section."""
        self.ui.packagesSection.collapsed = False
        self.look()

    def ensure(self):
        """Install what is missing, after asking. Returns False when the user declined. Raises: PackageError."""
        return in_background(state).ready or self._agreed(install)

    def ensure_for(self, use, purpose):
        """As ``ensure``, for what one ``use`` needs beyond the rest; ``purpose`` in words."""
        return self._agreed(ensure_for, use, purpose)

    def _do(self, action):
        with errors_shown(self.panel):
            self._agreed(action)

    def _agreed(self, action, *arguments):
        """Run ``action``; False when the user declined."""
        try:
            with self._panel_off():
                action(*arguments, wheel_folder=self.ui.wheelFolderEdit.currentPath or None)
        except Declined as error:
            self.ui.statusLabel.text = str(error)
            self.panel.log(str(error))
            return False
        return True

    @contextmanager
    def _panel_off(self):
        """Disable the panel and say why: Slicer handles clicks while pip runs for minutes."""
        before = self.ui.statusLabel.text
        self.panel.form.enabled = False
        self.ui.statusLabel.text = _("Python packages are being installed; this can take minutes.")
        try:
            yield
        finally:
            self.panel.form.enabled = True
            self.ui.statusLabel.text = before
            self.look()
