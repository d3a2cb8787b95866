"""Apply the fill, and write files."""

import json
from html import escape
from pathlib import Path

import qt
import slicer

from ...checks.check import Check
from ...errors import Cancelled, ChecksFailed
from ..export.file_export import mask_path
from ..scene import face_segment, kept_segments, slice_views
from ..scene.volumes import from_dicom
from ..texts import _
from .case_steps import CHECK
from .links import open_link, written
from .parameters import NUMBER, chosen_fill
from .section import errors_shown, no_mask, switch

FILES = "NIfTI (*.nii.gz);;NRRD (*.nrrd);;MetaImage (*.mha);;NIfTI (*.nii)"


class ExportSection:
    """The buttons that apply the fill and write files or DICOM, and links to what they have written."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        # (ID of the segmentation, state of its mask and of what is kept, fill) -> rich text with links.
        self._written = {}
        # The same key -> folders of the series that were exported as DICOM.
        self._series = {}
        self.ui.exportedLabel.connect("linkActivated(QString)", open_link)
        self.ui.applyButton.connect("clicked(bool)", self._on_apply)
        self.ui.exportButton.connect("clicked(bool)", self._on_export)
        self.ui.exportDicomButton.connect("clicked(bool)", self._on_export_dicom)

    def update(self):
        why_off = no_mask(self.panel)
        switch(self.ui.applyButton, why_off, _("Make or update the defaced volume; the input is never changed."))
        switch(
            self.ui.exportButton,
            why_off,
            _(
                "Fill the face as it is masked now, check it, and write the result to a file. A failed check stops the "
                "export until it is overridden with a reason."
            ),
        )
        switch(
            self.ui.exportDicomButton,
            why_off,
            _(
                "Write the DICOM files that the volume was loaded from, with the face filled, as a new series. A failed "
                "check stops the export too."
            ),
        )
        parameters = self.panel.parameters
        self.ui.fillNumberSpinBox.visible = bool(parameters) and parameters.fill == NUMBER
        defaced = self._defaced()
        self.ui.defacedLabel.text = defaced.GetName() if defaced is not None else _("not made yet")
        text = self._written.get(self._case(self.panel.segmentation, chosen_fill(parameters))) if not why_off else None
        self.ui.exportedLabel.text = text or ""
        self.ui.exportedLabel.visible = bool(text)

    def is_exported(self, segmentation, fill):
        """Was the case of ``segmentation``, as it is now, exported with ``fill``?"""
        return self._case(segmentation, fill) in self._written

    def scene_closes(self):
        """IDs will be given again."""
        self._written, self._series = {}, {}

    def exported_series(self):
        """Folders of the series that were exported as DICOM of the present case as it is now, with the chosen fill."""
        return self._series.get(self._case(self.panel.segmentation, chosen_fill(self.panel.parameters)), [])

    def add_line(self, text):
        """Show a plain ``text`` below the links of what was written of the present case."""
        self._written[self._case(self.panel.segmentation, chosen_fill(self.panel.parameters))] += "<br>" + escape(text)

    def ask_file(self, name):
        """Ask for the path of the file to write, of which ``name`` is proposed; an empty text when the user cancelled."""
        place = qt.QStandardPaths.writableLocation(qt.QStandardPaths.DocumentsLocation)
        return qt.QFileDialog.getSaveFileName(self.panel.parent, _("Export defaced volume"), str(Path(place, name)), FILES)

    def ask_folder(self):
        """Ask for the folder to write DICOM to; an empty text when the user cancelled."""
        return qt.QFileDialog.getExistingDirectory(self.panel.parent, _("Folder to export DICOM files to"))

    def _case(self, segmentation, fill):
        return segmentation.GetID(), kept_segments.case_state(segmentation), str(fill)

    def _was_written(self, released, kept, checks):
        """Link what was written (path, paths) and show the ``checks`` (dicts) that let it pass."""
        fill = chosen_fill(self.panel.parameters)
        self._written[self._case(self.panel.segmentation, fill)] = written(released, [path for path in kept if path])
        self.panel.checks_section.show([Check.from_dict(check) for check in checks], fill)

    def _defaced(self):
        segmentation = self.panel.segmentation
        return segmentation.GetNodeReference(face_segment.DEFACED) if segmentation is not None else None

    def _on_apply(self, *_checked):
        with errors_shown(self.panel):
            slice_views.show_volume(self.apply())
        self.panel.update()

    def apply(self):
        """Make or update the defaced volume; returns its node. Raises: Cancelled, and what ``applyFill`` raises."""
        face = self.panel.segmentation
        kept = [segment for node, segment in self.panel.logic.keptSegments(face) if node is face]
        others = face_segment.other_segments(face, but=kept)
        # A part of the face that was drawn in another segment would stay unnoticed.
        if others and not slicer.util.confirmOkCancelDisplay(
            _("Only the segment {face} is filled. Not filled: {names}. Continue?").format(
                face=face_segment.SEGMENT_NAME, names=", ".join(others)
            ),
            windowTitle="CTADeface",
        ):
            raise Cancelled()
        with slicer.util.WaitCursor():
            output = self.panel.logic.applyFill(self.panel.volume, face, fill=chosen_fill(self.panel.parameters))
        self.panel.log(_("{name} is filled.").format(name=output.GetName()))
        return output

    def _on_export(self, *_checked):
        with errors_shown(self.panel):
            path = self.ask_file(_file_name(self.panel.volume.GetName()) + "_defaced.nii.gz")
            if not path:
                return
            # The file dialog has asked about an existing file, but does not know the mask's name.
            output = self.apply()
            self._write(output, Path(path))
        self.panel.update()

    def _write(self, output, path):
        mask_file = mask_path(path) if self.ui.exportMaskCheckBox.checked else None
        if (
            mask_file is not None
            and mask_file.exists()
            and not slicer.util.confirmYesNoDisplay(
                _("{path} exists already. Replace it?").format(path=mask_file), windowTitle="CTADeface"
            )
        ):
            return
        with slicer.util.WaitCursor():
            problems = []
            record = self._checked(
                self.panel.logic.exportVolume, output, path, overwrite=True, mask=mask_file is not None, warn=problems.append
            )
        self.panel.log(_("Written: {paths}").format(paths=", ".join(str(p) for p in (path, mask_file, record) if p)))
        page = record.with_suffix(".html")
        facts = json.loads(record.read_text(encoding="utf-8"))
        self._was_written(path, [record, page if page.exists() else None, mask_file], facts["checks"])
        self._warn(problems)

    def _on_export_dicom(self, *_checked):
        with errors_shown(self.panel):
            new = not from_dicom(self.panel.volume)
            ready = self.panel.packages_section.ensure_for("dicom", _("DICOM export"))
            seg = self.ui.maskSegCheckBox.checked and not new
            if not ready or (new and not self._may_make_series()):
                return
            if seg and not self.panel.packages_section.ensure_for("seg", _("The mask as DICOM SEG")):
                return
            folder = self.ask_folder()
            if folder:
                output = self.apply()
                with slicer.util.WaitCursor():
                    results = self._checked(
                        self.panel.logic.exportDicom,
                        output,
                        folder,
                        newSeries=new,
                        warn=self.panel.log,
                        wholeStudy=self.ui.wholeStudyCheckBox.checked and not new,
                        deidentifyHeaders=self.ui.deidentifyCheckBox.checked and not new,
                        maskSeg=seg,
                    )
                self._tell(results)
        self.panel.update()

    def _may_make_series(self):
        return slicer.util.confirmOkCancelDisplay(
            _(
                "{name} was not loaded from DICOM. Write it as a new CT series, without patient, dates, or link to other "
                "series? Values are rounded to whole HU."
            ).format(name=self.panel.volume.GetName()),
            windowTitle="CTADeface",
        )

    def _tell(self, results):
        for result in results:
            self.panel.log(f"{result.input}: {result.defaced or result.error or result.reason}")
        done = [result for result in results if result.status == "defaced"]
        if done:
            kept = [
                Path(path) for result in done for path in (result.record, result.report, result.mask, result.mask_seg) if path
            ]
            self._was_written(Path(done[0].defaced), kept, done[0].checks)
            case = self._case(self.panel.segmentation, chosen_fill(self.panel.parameters))
            self._series[case] = [Path(result.defaced) for result in done]
        # The error of a series that was written says what is missing beside it.
        self._warn([result.error for result in done if result.error])
        left = [result for result in results if result.status != "defaced"]
        if left:
            slicer.util.warningDisplay(
                _("Not defaced and not written:") + "\n" + "\n".join(f"{r.input}: {r.error or r.reason}" for r in left),
                windowTitle="CTADeface",
            )

    def _warn(self, problems):
        for text in problems:
            self.panel.log(text)
            slicer.util.warningDisplay(text, windowTitle="CTADeface")

    def _checked(self, export, output, target, **how):
        """Run an export of the logic; when checks stop it, show what they say."""
        checks = self.panel.checks_section
        try:
            return export(
                output,
                target,
                overrides=checks.overrides,
                report=self.ui.reportCheckBox.checked,
                identity=self.ui.identityCheckBox.checked,
                **how,
            )
        except ChecksFailed as error:
            checks.show(error.every, chosen_fill(self.panel.parameters))
            self.panel.steps_row.sections.open(CHECK)
            raise


def _file_name(name):
    """``name`` without characters that file systems do not allow."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name).strip("_") or "volume"
