"""The folder contract of mercure's modules: what goes in and out, and what would give a face away."""

import json
from dataclasses import replace

import pydicom
import pytest

from CTADefaceLib.cli.main import main
from CTADefaceLib.node import mercure
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers


@pytest.fixture
def task(tmp_path, monkeypatch, studies, mask):
    """A function that runs the module on a study with settings in task.json; returns (exit code, folder of results)."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    monkeypatch.setenv("MERCURE_IN_DIR", str(source))
    monkeypatch.setenv("MERCURE_OUT_DIR", str(target))
    own = mercure.options_in
    # The true mask in place of a network's.
    monkeypatch.setattr(mercure, "options_in", lambda table: with_mask(own(table), mask))

    def run(folder=studies[1], process=None, **settings):
        settings = {"hospital": str(tmp_path / "hospital"), "deidentify_headers": True} | settings
        content = {"id": "../7f-1", "process": {"module_name": "deface", "settings": settings} | (process or {})}
        (source / "task.json").write_text(json.dumps(content))
        for number, path in enumerate(folder.rglob("*.dcm")):
            (source / f"1.2.3#{number}.dcm").write_bytes(path.read_bytes())
        return main(["mercure"]), target

    return run


def with_mask(options, mask):
    return replace(options, mask=str(mask), second_opinion=False)


def test_a_study_goes_through(task, tmp_path, capsys):
    code, target = task()
    assert code == 0 and "localizer" in capsys.readouterr().out
    got = [pydicom.dcmread(path) for path in target.iterdir()]
    assert len(got) == 40 and {path.suffix for path in target.iterdir()} == {".dcm"}
    assert {one.RecognizableVisualFeatures for one in got} == {"NO"} and not [one for one in got if "Secret" in str(one)]
    # All that shows the face lies in the hospital's folder, and nothing unfinished.
    left = {path.name for path in (tmp_path / "hospital").iterdir()}
    assert left == {"task-7f-1", "patients.csv", "patients.lock", "uids.key"}
    assert list((tmp_path / "hospital" / "task-7f-1").glob("*_facemask.nii.gz"))


@pytest.mark.parametrize(
    "process, settings, said",
    [
        ({"retain_input_images": "True"}, {}, "sends the originals too"),
        ({}, {"deidentify_headers": "yes"}, "process.settings.deidentify_headers: is 'yes'"),
        ({}, {"zebra": 1}, "there is no such setting"),
    ],
)
def test_settings_that_give_a_face_away_or_are_not_understood_are_refused(task, process, settings, said, capsys):
    code, target = task(process=process, **settings)
    assert code == 2 and said in capsys.readouterr().err and not list(target.iterdir())


def test_a_study_of_which_one_series_fails_goes_out_not_at_all(task, tmp_path):
    study = maker.Study()
    maker.write_series(tmp_path / "study" / "whole", maker.sparse(), study)
    maker.write_series(tmp_path / "study" / "gap", maker.sparse(), study, number=2, name="gap")
    for path in readers.sorted_files(tmp_path / "study" / "gap")[20:22]:
        path.unlink()
    code, target = task(tmp_path / "study")
    assert code == 5 and not list(target.iterdir())


def test_outside_of_mercure_it_says_what_it_is_for(monkeypatch, capsys):
    monkeypatch.delenv("MERCURE_IN_DIR", raising=False)
    assert main(["mercure"]) == 2 and "for modules of mercure" in capsys.readouterr().err
