"""Asks for the DICOM node to send to, remembers it, and asks it by C-ECHO whether it answers."""

from dataclasses import replace

import qt
import slicer

from ...dicom.transfer.association import OWN_TITLE, Peer, echo, is_ae_title
from ...errors import CTADefaceError
from ..background import Later
from ..texts import _
from .section import switch

SETTINGS = "CTADeface/Send/"
STANDARD_PORT = 104
# A person waits for the answer to a test.
TEST_S = 10.0


class SendDialog:
    """A window over the ``panel`` that says ``what`` would be sent."""

    def __init__(self, panel, what):
        self.window = qt.QDialog(panel.parent)
        self.window.windowTitle = "CTADeface"
        self.window.objectName = "CTADefaceSendWindow"
        form = slicer.util.loadUI(panel.resourcePath("UI/CTADefaceSend.ui"))
        qt.QVBoxLayout(self.window).addWidget(form)
        self.ui = slicer.util.childWidgetVariables(form)
        self.ui.whatLabel.text = what
        self._later = Later()
        self._fill()
        for edit in (self.ui.addressEdit, self.ui.calledEdit, self.ui.callingEdit):
            edit.connect("textChanged(QString)", self._update)
        self.ui.testButton.connect("clicked(bool)", self._on_test)
        self.ui.sendButton.connect("clicked(bool)", self._on_send)
        self.ui.cancelButton.connect("clicked(bool)", self._on_cancel)
        self._update()

    def ask(self):
        """Wait for the person; returns the ``Peer``, None when the window was closed without Send."""
        try:
            agreed = self.window.exec_()
        finally:
            self._later.drop()
        peer = self._peer() if agreed and not self._why_off() else None
        if peer is not None:
            self._remember(peer)
        self.window.deleteLater()
        return peer

    def _peer(self):
        ui = self.ui
        called, calling = ui.calledEdit.text.strip(), ui.callingEdit.text.strip()
        return Peer(ui.addressEdit.text.strip(), int(ui.portSpinBox.value), called, calling)

    def _fill(self):
        settings = slicer.app.userSettings()
        port = str(settings.value(SETTINGS + "port", STANDARD_PORT))
        self.ui.addressEdit.text = str(settings.value(SETTINGS + "address", ""))
        self.ui.portSpinBox.value = int(port) if port.isdigit() else STANDARD_PORT
        self.ui.calledEdit.text = str(settings.value(SETTINGS + "called", ""))
        self.ui.callingEdit.text = str(settings.value(SETTINGS + "calling", OWN_TITLE))

    def _remember(self, peer):
        settings = slicer.app.userSettings()
        for key in ("address", "port", "called", "calling"):
            settings.setValue(SETTINGS + key, getattr(peer, key))

    def _why_off(self):
        peer = self._peer()
        if not peer.address:
            return _("Type the address of the DICOM node first.")
        if not (is_ae_title(peer.called) and is_ae_title(peer.calling)):
            return _("Type both AE titles first: 1 to 16 ASCII characters without a backslash.")
        return ""

    def _update(self, *_text):
        why_off = self._why_off()
        switch(self.ui.sendButton, why_off, _("Send the exported files to this node."))
        if not why_off and self._later.busy:
            why_off = _("The node is being asked already.")
        switch(self.ui.testButton, why_off, _("Ask the node whether it answers (C-ECHO); no image is sent."))

    def _on_send(self, *_checked):
        self.window.accept()

    def _on_cancel(self, *_checked):
        self.window.reject()

    def _on_test(self, *_checked):
        peer = replace(self._peer(), timeout_s=TEST_S)
        self._later.start(lambda: _fault(peer), lambda fault: self._tested(peer, fault))
        self.ui.answerLabel.text = _("Asking {peer}...").format(peer=peer)
        self._update()

    def _tested(self, peer, fault):
        self.ui.answerLabel.text = fault or _("{peer} answers.").format(peer=peer)
        self._update()


def _fault(peer):
    """Why a node does not answer, empty when it does."""
    try:
        echo(peer)
    except CTADefaceError as error:
        return str(error)
    return ""
