"""Python packages: what is missing, install, repair."""

from .. import packages
from ..texts import _
from .common import errors_shown


class PackagesSection:
    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.ui.installButton.connect("clicked(bool)", lambda _checked=False: self._do(packages.install))
        self.ui.repairButton.connect("clicked(bool)", lambda _checked=False: self._do(packages.repair))
        self.ui.packagesSection.connect("contentsCollapsed(bool)", lambda collapsed: self.look())

    def look(self):
        """Say what is missing; only while the section is open, as it reads many files."""
        if not self.ui.packagesSection.collapsed:
            state = packages.state()
            self.ui.packagesLabel.text = _("All packages are installed.") if state.ready else state.reason
            self.ui.installButton.enabled = not state.ready

    def open(self):
        self.ui.packagesSection.collapsed = False
        self.look()

    def ensure(self):
        """Install what is missing, after asking. Returns False when the user declined. Raises: PackageError."""
        if packages.state().ready:
            return True
        try:
            packages.install(self._wheels())
        except packages.Declined:
            return False
        finally:
            self.look()
        return True

    def _do(self, action):
        with errors_shown(self.panel):
            try:
                action(self._wheels())
            except packages.Declined:
                pass
        self.look()

    def _wheels(self):
        return self.ui.wheelFolderEdit.currentPath or None
