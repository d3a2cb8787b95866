"""The checkbox "Ears too": the mask that the panel proposes holds both ears, and what is made of it knows."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.head.ears import SIDES
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers.slicer_scene import add_scan

SECONDS = 90


@pytest.fixture
def head(slicer, small_cranium):
    return add_scan(Volume(sitk.GetArrayFromImage(small_cranium), Geometry.from_image(small_cranium)))


def segment(host, panel):
    panel.ui.segmentButton.click()
    assert host.spin(lambda: panel.segment_section.job is None, SECONDS)
    assert not [dialog for dialog in host.dialogs if dialog.kind == "error"]
    return panel.logic.faceMask(panel.volume)


def test_ears_too_is_off_at_first_and_adds_both_ears_to_the_segment(host, panel, head, tmp_path):
    from CTADefaceLib.slicer_module.scene import volumes

    assert not panel.ui.earsCheckBox.checked
    face = segment(host, panel)
    names = {check.name for check in panel.logic.runChecks(head)}
    assert not names & set(SIDES)
    panel.ui.earsCheckBox.checked = True
    assert panel.parameters.ears
    both = segment(host, panel)
    assert np.array_equal(both, volumes.survey_of(head).ears.added_to(face))
    verdicts = {check.name: check.verdict for check in panel.logic.runChecks(head)}
    assert [verdicts[name] for name in SIDES] == ["pass", "pass"]
    output = panel.logic.applyFill(head)
    reasons = {name: "a coarse head" for name, verdict in verdicts.items() if verdict == "fail"}
    record = panel.logic.exportVolume(output, tmp_path / "release" / "head.nii.gz", overrides=reasons)
    assert json.loads(record.read_text())["settings"]["ears"] is True
