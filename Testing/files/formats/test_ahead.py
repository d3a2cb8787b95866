"""Reading ahead: the order, the errors and the end of what another thread makes, and when Python may import more."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.files.formats.ahead import MOST_BLOCKS, ahead
from helpers import phantom
from helpers.paths import ENGINE


def test_blocks_come_in_order_and_are_made_without_being_asked_for():
    made = threading.Semaphore(0)

    def blocks():
        for number in range(3 * MOST_BLOCKS):
            made.release()
            yield number

    with ahead(blocks()) as taken:
        assert all(made.acquire(timeout=30) for _ in range(MOST_BLOCKS))
        assert list(taken) == list(range(3 * MOST_BLOCKS))


def test_no_more_than_the_limit_lies_waiting():
    made = []
    with ahead(made.append(n) or n for n in range(10 * MOST_BLOCKS)) as taken:
        for n, block in zip(range(10 * MOST_BLOCKS), taken):
            assert block == n and len(made) <= n + MOST_BLOCKS + 2


def test_an_error_comes_where_its_block_would():
    def blocks():
        yield 1
        raise EOFError("cut")

    with ahead(blocks()) as taken:
        assert next(taken) == 1
        with pytest.raises(EOFError, match="cut"):
            next(taken)


def test_leaving_early_ends_the_thread_and_the_source():
    closed = []

    def blocks():
        try:
            while True:
                yield bytes(10)
        finally:
            closed.append(True)

    before = threading.active_count()
    with pytest.raises(KeyError), ahead(blocks()) as taken:
        next(taken)
        raise KeyError
    assert threading.active_count() == before and closed == [True]


@pytest.mark.parametrize("name, packages", [("a.nii.gz", ["nibabel"]), ("a.mha", []), ("a.nrrd", [])])
def test_a_reader_says_when_its_package_is_there_and_does_not_import_others(tmp_path, name, packages):
    sitk.WriteImage(sitk.GetImageFromArray(phantom.head_parts()[0][::8, ::8, ::8].astype(np.int16)), str(tmp_path / name))
    code = (
        "import sys; from CTADefaceLib.files.read import read_volume; "
        "read_volume(sys.argv[1], lambda: print(*({'nibabel', 'SimpleITK'} & sys.modules.keys())))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ENGINE)},
    )
    assert said.stdout.split() == packages
