"""Send of what was exported, through console and panel, to a real DICOM node; only Slicer's database is a stand-in."""

import shutil
import threading

import pydicom
import pytest

from helpers import dicom_maker as maker
from helpers.dicom_node import ARCHIVE, Archive, free_port, until
from helpers.slicer_scene import MODULE, load_series, put_mask
from slicer_host.dicom_database import DicomDatabase

FILES = 40


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    maker.write_series(folder, maker.sparse(), maker.Study())
    return folder


@pytest.fixture
def panel(host, study):
    import slicer

    host.reset()
    slicer.dicomDatabase = DicomDatabase(study)
    load_series(study)
    widget = host.open_widget(host.load_module(MODULE))
    slicer.app.userSettings().remove("CTADeface")
    yield widget
    host.close(widget)
    slicer.app.userSettings().remove("CTADeface")
    del slicer.dicomDatabase


@pytest.fixture
def archive():
    with Archive() as one:
        one.server.ae.add_supported_context("1.2.840.10008.1.1")
        one.server.contexts = one.server.ae.supported_contexts
        yield one


@pytest.fixture
def release(host, panel, tmp_path):
    """Where the button has exported the case to."""
    put_mask(panel)
    host.answers.append(str(tmp_path / "release"))
    panel.ui.exportDicomButton.click()
    assert [dialog.kind for dialog in host.dialogs] == ["file"]
    host.dialogs.clear()
    return tmp_path / "release"


class Fields:
    """The widgets of the window that asks for the node, by name."""

    def __init__(self, dialog):
        from slicer.util import childWidgetVariables

        self.ui = childWidgetVariables(dialog.widget)

    def fill(self, port, address="127.0.0.1", called=ARCHIVE):
        self.ui.addressEdit.text, self.ui.portSpinBox.value, self.ui.calledEdit.text = address, port, called

    def values(self):
        ui = self.ui
        return ui.addressEdit.text, ui.portSpinBox.value, ui.calledEdit.text, ui.callingEdit.text


def answer(port, ok=1, **values):
    """What a person does in the window: type, and press Send (0: close it)."""

    def act(dialog):
        Fields(dialog).fill(port, **values)
        return ok

    return act


def originals(release):
    return {dataset.SOPInstanceUID: dataset for dataset in map(pydicom.dcmread, sorted(release.rglob("*.dcm")))}


def test_the_button_is_off_with_a_reason_until_the_case_as_it_is_was_exported_as_dicom(host, panel, tmp_path):
    button = panel.ui.sendDicomButton
    assert not button.enabled and "Segment the face first" in button.toolTip
    _node, _mask = put_mask(panel)
    assert not button.enabled and "Export DICOM first" in button.toolTip
    host.answers.append(str(tmp_path / "file" / "a.nii.gz"))
    panel.ui.exportButton.click()
    assert panel.ui.exportedLabel.text and not button.enabled
    host.answers.append(str(tmp_path / "release"))
    panel.ui.exportDicomButton.click()
    assert button.enabled and "node that you name" in button.toolTip
    # Another fill, another mask: not what was exported.
    panel.parameters.fill = "air"
    assert not button.enabled
    panel.parameters.fill = "levelled"
    assert button.enabled
    panel.logic.growMask(panel.volume, panel.segmentation, 3.0)
    panel.mask_changed()
    assert not button.enabled and "as it is now" in button.toolTip


def test_the_very_files_of_the_export_arrive_and_it_is_said(host, panel, release, archive):
    host.answers.append(answer(archive.port))
    panel.ui.sendDicomButton.click()
    assert [dialog.kind for dialog in host.dialogs] == ["dialog"]
    assert archive.got == originals(release) and archive.times == FILES
    said = f"{FILES} of {FILES} files were taken by {ARCHIVE} (127.0.0.1, port {archive.port})."
    assert said in panel.ui.logText.plainText and said in panel.ui.exportedLabel.text and said == panel.ui.statusLabel.text
    assert "series_01" in panel.ui.exportedLabel.text and panel.ui.sendDicomButton.enabled


def test_the_window_remembers_and_says_what_leaves(host, panel, release, archive):
    seen = []

    def look(dialog):
        fields = Fields(dialog)
        seen.append((fields.values(), fields.ui.sendButton.enabled, fields.ui.sendButton.toolTip, fields.ui.whatLabel.text))
        fields.fill(archive.port)
        return 1

    host.answers.extend([look, look])
    panel.ui.sendDicomButton.click()
    panel.ui.sendDicomButton.click()
    assert seen[0][0] == ("", 104, "", "CTADEFACE") and not seen[0][1] and "address" in seen[0][2]
    assert "series of this case: 1" in seen[0][3] and "name the patient" in seen[0][3]
    assert seen[1][0] == ("127.0.0.1", archive.port, ARCHIVE, "CTADEFACE") and seen[1][1]
    # The same files twice: an archive that has them has them once.
    assert len(archive.got) == FILES and archive.times == 2 * FILES


def test_a_node_that_cannot_be_is_not_sent_to(host, panel, release, archive):
    said = []

    def act(dialog):
        fields = Fields(dialog)
        for wrong in ({"address": "  "}, {"called": ""}, {"called": "A" * 17}, {"called": "Ä"}):
            fields.fill(archive.port, **wrong)
            assert not fields.ui.sendButton.enabled and not fields.ui.testButton.enabled
            said.append(fields.ui.sendButton.toolTip)
        return 1

    host.answers.append(act)
    panel.ui.sendDicomButton.click()
    assert archive.times == 0 and [dialog.kind for dialog in host.dialogs] == ["dialog"]
    assert len(said) == 4 and all(said)


def test_a_closed_window_sends_and_remembers_nothing(host, panel, release, archive):
    import slicer

    host.answers.append(answer(archive.port, ok=0))
    panel.ui.sendDicomButton.click()
    assert archive.times == 0 and slicer.app.userSettings().value("CTADeface/Send/address", "none") == "none"


def test_the_test_button_asks_the_node_by_c_echo(host, panel, release, archive):
    said = []

    def act(dialog):
        fields = Fields(dialog)
        for port in (archive.port, free_port()):
            fields.fill(port)
            fields.ui.testButton.click()
            assert "Asking" in fields.ui.answerLabel.text and not fields.ui.testButton.enabled
            assert host.spin(lambda: "Asking" not in fields.ui.answerLabel.text, timeout=60)
            said.append(fields.ui.answerLabel.text)
            assert fields.ui.testButton.enabled
        return 0

    host.answers.append(act)
    panel.ui.sendDicomButton.click()
    assert said[0] == f"{ARCHIVE} answers." and "cannot be reached" in said[1] and archive.times == 0


def change_one_pixel(release):
    path = sorted(release.rglob("*.dcm"))[7]
    dataset = pydicom.dcmread(path)
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]
    dataset.save_as(path)


def put_original_beside(release, study):
    shutil.copy(sorted(study.rglob("*.dcm"))[0], release / "series_01" / "zzz.dcm")


def test_a_spoilt_release_is_refused_and_said(host, panel, release, archive, study, tmp_path):
    hospital, whole = release.with_name("release-hospital-only"), tmp_path / "whole"
    shutil.copytree(release, whole)
    spoils = {
        "a pixel": lambda: change_one_pixel(release),
        "a file added": lambda: put_original_beside(release, study),
        "all gone": lambda: shutil.rmtree(release),
        "a record gone": (hospital / "series_01_record.json").unlink,
    }
    for how, spoil in spoils.items():
        host.dialogs.clear()
        spoil()
        host.answers.append(answer(archive.port))
        panel.ui.sendDicomButton.click()
        assert ([dialog.kind for dialog in host.dialogs], archive.times) == (["dialog", "error"], 0), how
        text = host.dialogs[-1].text
        assert str(release / "series_01") in text and text in panel.ui.logText.plainText
        assert "taken by" not in panel.ui.exportedLabel.text
        shutil.rmtree(release, ignore_errors=True)
        shutil.copytree(whole, release)


def test_files_that_are_refused_are_told(host, panel, release):
    with Archive(answer=lambda number: 0xA700 if number == 2 else 0) as archive:
        host.answers.append(answer(archive.port))
        panel.ui.sendDicomButton.click()
    assert [dialog.kind for dialog in host.dialogs] == ["dialog", "warning"]
    text = host.dialogs[-1].text
    assert f"{FILES - 1} of {FILES} files were taken" in text and "0xA700" in text and "0xA700" in panel.ui.logText.plainText


def test_nobody_there_is_an_error_of_one_sentence(host, panel, release):
    host.answers.append(answer(free_port()))
    panel.ui.sendDicomButton.click()
    assert host.dialogs[-1].kind == "error" and "cannot be reached" in host.dialogs[-1].text


def test_a_cancel_ends_the_send_and_says_what_was_taken(host, panel, release, monkeypatch):
    from CTADefaceLib.slicer_module import background

    monkeypatch.setattr(background, "PATIENCE_S", 0.0)
    held = threading.Event()
    with Archive(answer=lambda number: held.wait(30) * 0 if number > 3 else 0) as archive:

        class Pressed(background.CancelWindow):
            """Its button is pressed when the archive has three files."""

            @property
            def cancelled(self):
                return archive.times > 3

        monkeypatch.setattr(background, "CancelWindow", Pressed)
        host.answers.append(answer(archive.port))
        panel.ui.sendDicomButton.click()
        held.set()
        until(lambda: not archive.server.active_associations)
    assert host.dialogs[-1].kind == "warning" and f"3 of {FILES} files were taken" in host.dialogs[-1].text
    assert "Cancelled" in panel.ui.logText.plainText and len(archive.got) < FILES


def test_the_package_is_asked_for_before_the_node(host, panel, release, monkeypatch):
    from CTADefaceLib.slicer_module.packages import install

    monkeypatch.setattr(install, "missing_for", lambda use, *_: ["pynetdicom>=3"] if use == "send" else [])
    monkeypatch.setattr(type(__import__("slicer").app), "testingEnabled", lambda self: False)
    host.answers.append(False)
    panel.ui.sendDicomButton.click()
    [question] = host.dialogs
    assert question.kind == "confirm" and "pynetdicom>=3" in question.text and "Sending to a DICOM node" in question.text


def test_the_console_sends_and_refuses_as_the_panel_does(panel, release, archive):
    from CTADefaceLib.dicom.transfer.released_files import NotReleased
    from CTADefaceLib.errors import UsageError

    for given in (release, str(release / "series_01"), [release / "series_01"]):
        sent = panel.logic.sendDicom(given, "127.0.0.1", archive.port, ARCHIVE)
        assert len(sent.taken) == FILES and not sent.left
    with pytest.raises(UsageError):
        panel.logic.sendDicom(release, "127.0.0.1", 0, ARCHIVE)
    change_one_pixel(release)
    with pytest.raises(NotReleased, match="not those that the gate released"):
        panel.logic.sendDicom(release, "127.0.0.1", archive.port, ARCHIVE)
    assert archive.times == 3 * FILES


def test_the_panel_is_no_wider_and_the_row_no_taller_than_before(panel):
    ui = panel.ui
    assert ui.sendDicomButton.sizeHint.height() == ui.exportDicomButton.sizeHint.height()
    boxes = (ui.wholeStudyCheckBox, ui.deidentifyCheckBox, ui.maskSegCheckBox)
    row = ui.exportDicomButton.minimumSizeHint.width() + ui.sendDicomButton.minimumSizeHint.width()
    assert row < max(box.minimumSizeHint.width() for box in boxes)
