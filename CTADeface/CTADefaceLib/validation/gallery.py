"""Who is it? Each defaced head against a gallery of all originals.

Every head was scanned once, so that a defaced head and its own original share noise, pose and field of view: the
figures are an upper bound of what another scan or a photograph would give.
"""

import numpy as np


def auc(near, far):
    """ROC-AUC of telling ``near`` distances (same head) from ``far`` ones (different heads); NaN without any."""
    from sklearn.metrics import roc_auc_score

    if not len(near) or not len(far):
        return np.nan
    same = np.r_[np.ones(len(near)), np.zeros(len(far))]
    return float(roc_auc_score(same, -np.r_[near, far]))


def distance_matrix(probes, gallery, pairs):
    """(probe heads, gallery heads): the median over ``pairs`` of views of the Euclidean distance of two heads.

    Parameters: ``probes`` and ``gallery`` (heads, views, numbers), NaN for a view that is not there; ``pairs`` of
    (probe's view, gallery's view). Without a pair that both have: NaN.
    """
    probes, gallery = np.asarray(probes, float), np.asarray(gallery, float)
    each = np.stack([np.linalg.norm(probes[:, None, a] - gallery[None, :, b], axis=2) for a, b in pairs])
    seen = np.isfinite(each).any(0)
    result = np.full(seen.shape, np.nan)
    result[seen] = np.nanmedian(each[:, seen], axis=0)
    return result


def identified(distances, own):
    """How well heads are found in the gallery.

    Parameters: ``distances`` (probes, gallery); ``own`` for each probe the index of its own head in the gallery.
    Returns: dict of ``heads``, ``rank1`` (how many have their own head nearest, a tie counts against the attacker),
    ``chance`` (expected rank-1 of guessing) and ``auc`` of same against different heads. Probes without a finite
    distance to their own head are left out of ``heads``.
    """
    same, different, first, sizes = [], [], 0, []
    for row, mine in zip(distances, own, strict=True):
        others = np.delete(row, mine)
        others = others[np.isfinite(others)]
        if not np.isfinite(row[mine]) or not len(others):
            continue
        same.append(row[mine])
        different += others.tolist()
        first += bool(row[mine] < others.min())
        sizes.append(len(others) + 1)
    return {"heads": len(same), "rank1": int(first), "auc": auc(same, different),
            "chance": float(np.mean(1 / np.array(sizes))) if sizes else np.nan}
