"""What counts as brain that changed."""

import numpy as np

from CTADefaceLib.checks.untouched import brain_untouched
from CTADefaceLib.voxels.volume import Geometry, Volume


def test_thin_walls_between_the_cells_of_the_nose_are_no_brain() -> None:
    """The skull encloses them too, and they are levelled with the air around them."""
    stored = np.full((20, 40, 40), 40, np.int16)
    cells = np.zeros(stored.shape, bool)
    cells[:, :10] = True
    stored[cells & (np.arange(40) % 3 > 0)] = -900
    volume = Volume(stored, Geometry((3.0, 3.0, 3.0), (0.0, 0.0, 0.0), np.eye(3)))
    levelled, painted = stored.copy(), stored.copy()
    levelled[cells] = -1000
    painted[8:11, 24:27, 24:27] = -1000
    everything = np.ones(stored.shape, bool)
    assert brain_untouched(volume, levelled, everything, (1, 1, 1)).verdict == "pass"
    # 27 voxels of 3 mm.
    assert brain_untouched(volume, painted, everything, (1, 1, 1)).verdict == "warn"
