"""The module's self-test, here as far as it goes without Slicer's DICOM module, and that it would notice a fault."""

import re

import numpy as np
import pydicom
import pytest

from helpers.paths import ROOT
from helpers.slicer_scene import MODULE


@pytest.fixture
def case(host):
    host.reset()
    host.load_module(MODULE)
    import CTADeface

    case = CTADeface.CTADefaceTest()
    case.messageDelay = 1
    return case


def test_it_passes_and_leaves_no_window_open(host, case):
    import slicer

    case.runTest()
    assert slicer.util.getNode("Synthetic head defaced") and not host.dialogs


def test_it_goes_through_the_tutorial_step_by_step(case):
    from CTADefaceLib.slicer_module.self_test.synthetic_scene import opened_panel
    from CTADefaceLib.slicer_module.self_test.tutorial_steps import TutorialSteps

    text = (ROOT / "docs" / "tutorial-slicer.md").read_text(encoding="utf-8").split("## From a scan")[1].split("\n## ")[0]
    titles = re.findall(r"^(?:\d\. )?\*\*([^*:.]+)[.:]?\*\*", text, re.MULTILINE)
    with opened_panel() as panel:
        steps = list(TutorialSteps(case, panel, None, []).steps)
    assert "Step by step" in titles and titles[-1] == "Review a batch"
    assert sorted([*steps, "Step by step", "Review a batch"]) == sorted(titles)


@pytest.mark.parametrize("fault", ["fill", "keep", "checks"])
def test_it_notices_a_fault_of_the_panel(host, case, tmp_path, monkeypatch, fault):
    from CTADefaceLib.slicer_module.export import node_export
    from CTADefaceLib.slicer_module.self_test import tutorial_steps
    from CTADefaceLib.slicer_module.self_test.synthetic_scene import answered, opened_panel

    if fault == "fill":
        import slicer

        monkeypatch.setattr(node_export, "filled", lambda source, *_how: slicer.util.arrayFromVolume(source).copy())
    elif fault == "keep":
        monkeypatch.setattr(node_export.kept_segments, "kept_in", lambda *_of: None)
    # Without the network: what is noticed comes after it.
    monkeypatch.setattr(tutorial_steps, "state", lambda: type("State", (), {"ready": False, "reason": "a test"}))
    with opened_panel() as panel, answered() as said:
        if fault == "checks":
            monkeypatch.setattr(panel.checks_section, "show", lambda checks, fill: None)
        steps = tutorial_steps.TutorialSteps(case, panel, tmp_path, said)
        with pytest.raises(AssertionError):
            steps.run()


def test_the_study_that_it_makes_is_what_it_says(slicer, tmp_path):
    from CTADefaceLib.dicom.reading.series import find_series
    from CTADefaceLib.slicer_module.scene.volumes import engine_volume
    from CTADefaceLib.slicer_module.self_test.made_study import SERIES, write_study
    from CTADefaceLib.slicer_module.self_test.synthetic_scene import synthetic_head

    write_study(engine_volume(synthetic_head()[0]), tmp_path)
    found = find_series(tmp_path).series
    assert sorted(series.kind for series in found) == ["CT", "CT", "CT", "RTSTRUCT", "localizer"]
    assert len({series.study for series in found}) == 1 and len({s.frame_of_reference for s in found if s.kind == "CT"}) == 1
    headers = [pydicom.dcmread(path) for path in sorted(tmp_path.rglob("*.dcm"))]
    assert {str(header.PatientID) for header in headers} == {"CTADeface"}
    assert {header.SeriesDescription for header in headers} == {*SERIES.values(), "Localizer", "Structures"}
    assert not any("RecognizableVisualFeatures" in header for header in headers)
    (localizer,) = [header for header in headers if header.SeriesDescription == "Localizer"]
    assert np.ptp(localizer.pixel_array) > 1000
