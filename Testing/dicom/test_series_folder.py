"""The folder of a series appears whole or not at all, also where the run is killed."""

import os
import signal
import sys
from functools import partial

import pytest

from CTADefaceLib.errors import OutputError
from CTADefaceLib.files.publish import STAGING, publishing
from helpers.fault_points import KILL, in_child


def folder_of_three(target):
    """As a release does: a record, and a folder of files."""
    with publishing([target.parent.with_name("kept") / f"{target.name}.json", target]) as (record, staged):
        record.write_text("{}")
        staged.mkdir()
        for number in range(3):
            (staged / f"{number}.dcm").write_bytes(b"pixels")


@pytest.mark.skipif(sys.platform == "win32", reason="forks and sends signals")
def test_a_folder_appears_whole_or_not_at_all_wherever_the_run_is_killed(tmp_path):
    for number in range(1, 60):
        target = tmp_path / str(number) / "release" / "series_01"
        code, _said = in_child(partial(folder_of_three, target), KILL, number, tmp_path / str(number))
        assert not target.exists() or len(list(target.iterdir())) == 3
        assert not target.exists() or (tmp_path / str(number) / "kept" / "series_01.json").exists()
        if code == 0:
            break
        assert code == -signal.SIGKILL
        folder_of_three(target.with_name("series_02"))
        assert not [p for p in target.parent.parent.rglob("*") if p.name.startswith(STAGING)]
    assert code == 0 and number >= 12


def test_of_two_folders_of_one_name_the_second_is_refused_and_a_failed_one_leaves_the_first(tmp_path):
    folder_of_three(tmp_path / "release" / "series_01")
    with pytest.raises(OutputError, match="exists already"):
        folder_of_three(tmp_path / "release" / "series_01")
    with pytest.raises(KeyError), publishing([tmp_path / "release" / "series_01"], overwrite=True) as (staged,):
        staged.mkdir()
        raise KeyError
    assert len(list((tmp_path / "release" / "series_01").iterdir())) == 3
    assert not [name for name in os.listdir(tmp_path) if name.startswith(STAGING)]
