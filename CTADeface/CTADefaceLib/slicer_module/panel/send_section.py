"""Send what was exported as DICOM to a DICOM node: the present case, as it is now, and nothing else."""

import slicer

from ..texts import _
from .section import errors_shown, no_mask, switch
from .send_dialog import SendDialog


class SendSection:
    """The button "Send..." beside that of the DICOM export."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.ui.sendDicomButton.connect("clicked(bool)", self._on_send)

    def update(self):
        why_off = no_mask(self.panel)
        if not why_off and not self.panel.export_section.exported_series():
            why_off = _("Export DICOM first: only files of this case as it is now, which the checks let pass, can be sent.")
        switch(
            self.ui.sendDicomButton,
            why_off,
            _(
                "Send the exported DICOM files of this case to a DICOM node that you name. What the hospital keeps is never "
                "sent."
            ),
        )

    def ask_peer(self, count):
        """Ask where to send so many series; returns the ``Peer``, None when the person cancelled."""
        what = _(
            "Exported series of this case: {count}. Their files leave this computer as they were exported; headers that were "
            "not de-identified name the patient."
        ).format(count=count)
        return SendDialog(self.panel, what).ask()

    def _on_send(self, *_checked):
        series = self.panel.export_section.exported_series()
        with errors_shown(self.panel):
            if not self.panel.packages_section.ensure_for("send", _("Sending to a DICOM node")):
                return
            peer = self.ask_peer(len(series))
            if peer is not None:
                with slicer.util.WaitCursor():
                    sent = self.panel.logic.sendDicom(series, peer.address, peer.port, peer.called, peer.calling)
                self._tell(peer, sent)
        self.panel.update()

    def _tell(self, peer, sent):
        text = _("{taken} of {count} files were taken by {peer} ({address}, port {port}).").format(
            taken=len(sent.taken),
            count=len(sent.taken) + len(sent.left),
            peer=peer,
            address=peer.address,
            port=peer.port,
        )
        self.panel.export_section.add_line(text)
        self.ui.statusLabel.text = text
        stays = _("Cancelled; what was taken before, and perhaps the file on its way, stays there.")
        reasons = [stays] if sent.cancelled else list(sent.reasons)
        self.panel.log("\n".join([text, *reasons]))
        if sent.left:
            slicer.util.warningDisplay("\n".join([text, _("Not taken:"), *reasons]), windowTitle="CTADeface")
