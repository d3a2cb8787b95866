"""Some of the mutated inputs of the benchmark ``mutated.py``: nothing hangs, fills the memory, breaks or passes as another."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory as Linux tells it")
# One in so many of the benchmark's inputs.
EVERY = 53


def test_some_of_the_mutated_inputs(tmp_path):
    import mutated

    (tmp_path / "originals").mkdir()
    rows = mutated.run(tmp_path / "originals", tmp_path, seed=7, every=EVERY)
    assert {row["kind"] for row in rows} == {"nifti", "nrrd", "mha", "dicom"}
    assert {mutated.REFUSED, mutated.SAME} <= {row["outcome"] for row in rows}
    missed = [str(bar) for bar in mutated.bars_of(rows) if not bar.passed]
    assert not missed, [row for row in rows if row["outcome"] not in (mutated.REFUSED, mutated.SAME, mutated.AS_READ)]
