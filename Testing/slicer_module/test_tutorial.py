"""The Python of docs/tutorial-slicer.md, run as a user would: real scene, real worker and model, a real head."""

import os
from pathlib import Path

import numpy as np
import pytest

from helpers import dicom_maker as maker
from helpers.dicom_node import Archive
from helpers.documents import blocks
from helpers.paths import ROOT
from helpers.slicer_scene import load_series
from slicer_host.dicom_database import DicomDatabase


@pytest.fixture
def folder(slicer, small_cranium, tmp_path, monkeypatch):
    """The working folder, with the file and the study that the tutorial reads."""
    import SimpleITK as sitk

    sitk.WriteImage(small_cranium, str(tmp_path / "head.nrrd"))
    maker.write_study_of(small_cranium, tmp_path / "study")
    slicer.dicomDatabase = DicomDatabase(tmp_path / "study")
    volume = load_series(tmp_path / "study" / "1")
    add_structure(slicer, volume)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    del slicer.dicomDatabase


def add_structure(slicer, volume):
    """A segmentation "RTSTRUCT" with one segment deep in the head."""
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[tuple(slice(n // 2, n // 2 + 4) for n in mask.shape)] = 1
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "RTSTRUCT")
    node.GetSegmentation().AddEmptySegment("Orbit_L", "Orbit_L")
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "Orbit_L", volume)


def test_every_example_of_the_tutorial_runs(module, slicer, folder):
    from CTADefaceLib.slicer_module.scene.face_segment import find_face

    names = {"slicer": slicer}
    examples = blocks(ROOT / "docs" / "tutorial-slicer.md", "python")
    try:
        with Archive() as archive:
            for example in examples:
                exec(compile(example.replace("11112", str(archive.port)), "tutorial-slicer.md", "exec"), names)
    finally:
        if "logic" in names:
            names["logic"].hidePreview()
    assert sorted(os.listdir("release")) == ["head_defaced.nii.gz"]
    assert Path("release-hospital-only/head_facemask.nii.gz").is_file()
    assert names["logic"].keptSegments(find_face(names["volume"])) == [(names["structures"], "Orbit_L")]
    assert {check.verdict for check in names["checks"]} >= {"pass"}
    assert [result.status for result in names["results"]] == ["defaced", "defaced"]
    files = list(Path("release-dicom").glob("series_*/*.dcm"))
    assert len(files) == len(names["sent"].taken) == len(archive.got) > 50
