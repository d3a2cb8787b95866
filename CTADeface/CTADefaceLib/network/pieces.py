"""The connected pieces of what a network calls face."""

import numpy as np
from scipy import ndimage as ndi

from ..voxels.morphology import within


def face_pieces(odds, reach_mm, spacing, least_share=1.0):
    """(main pieces, those and all pieces within ``reach_mm`` of them) of ``odds`` > 0, both bool; None without any.

    Main are the pieces with at least ``least_share`` of the evidence for the most evident one. Evidence is the sum of
    log-odds, so that a large but doubtful piece elsewhere does not win. ``spacing`` of a voxel in mm.
    """
    labels, count = ndi.label(odds > 0, np.ones((3, 3, 3)))
    if count == 0:
        return None
    evidence = ndi.sum_labels(odds, labels, np.arange(1, count + 1))
    main = np.isin(labels, 1 + np.flatnonzero(evidence >= least_share * evidence.max()))
    near = np.unique(labels[within(main, reach_mm, spacing)])
    return main, np.isin(labels, near[near > 0])
