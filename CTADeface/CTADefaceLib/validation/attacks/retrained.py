"""The attacker who learns: logistic regression on pairs of renderings, one defaced, one of an original.

He knows the method, so that he can deface heads of his own, and learns from them what in the recognisers' numbers still
tells the same head from different ones. After the study on UCLH's data (PMID 39754865), which trained a support vector
machine on cosine similarities in five folds; here every head is in the training part or in the tested part of a fold,
never in both.

Two heads are compared by one model that saw neither (blocks of heads are left out two at a time; with blocks of one head
this is leave-pair-out: Airola et al., Comput Stat Data Anal 2011;55:1828), and only within one model, since the scores of
two models cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

BLOCKS = 8
# Below it the training part holds too few heads to learn from.
LEAST_HEADS = 6
# A head gives at most so many pairs with other heads.
MOST_OTHERS = 20
SEED = 0
# The features that each attacker looks at, and the inverse strength of his regularisation: few features need little of it.
ATTACKERS = {"distances": 1.0, "elements": 1e-3}


def retrained(
    probes: Sequence[np.ndarray], gallery: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]]
) -> dict[str, np.ndarray]:
    """{attacker: (heads, heads) matrix for ``identification.identified``}; NaN for heads that have no view or are too few.

    Parameters: ``probes`` and ``gallery`` lists by recogniser of (heads, views, numbers), NaN for a view that is not
    there; ``pairs`` of (probe's view, gallery's view).
    Entry (i, j) says by how much less the defaced head i is like the original of j than like its own, 0 where i is j.
    """
    heads = len(probes[0])
    usable = [n for n in range(heads) if all(_has_pair(p[n], g[n], pairs) for p, g in zip(probes, gallery))]
    sums, counts = {name: np.zeros((heads, heads)) for name in ATTACKERS}, np.zeros((heads, heads))
    for train, test in folds(usable):
        for name, scores in _scores(probes, gallery, pairs, train, test).items():
            sums[name][np.ix_(test, test)] += scores.diagonal()[:, None] - scores
        counts[np.ix_(test, test)] += 1
    with np.errstate(invalid="ignore"):
        return {name: np.where(counts > 0, total / counts, np.nan) for name, total in sums.items()}


def folds(heads: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(heads to train on, heads to test on) for every two blocks of ``heads``; none when there are too few."""
    if len(heads) < LEAST_HEADS:
        return
    mixed = np.random.default_rng(SEED).permutation(heads)
    for blocks in combinations(np.array_split(mixed, min(BLOCKS, len(heads))), 2):
        test = np.sort(np.concatenate(blocks))
        yield np.setdiff1d(mixed, test), test


def stretch(heads: int) -> float:
    """The factor by which the interval of an AUC grows because models learned from heads that other models tested.

    It is the square root of 1 + ``heads`` / training heads: Nadeau and Bengio, Mach Learn 2003;52:239, for as many folds as
    test each head once.
    """
    blocks = min(BLOCKS, heads)
    return (1 + blocks / (blocks - 2)) ** 0.5 if heads >= LEAST_HEADS else 1.0


def _has_pair(probe: np.ndarray, original: np.ndarray, pairs: Sequence[tuple[int, int]]) -> bool:
    return any(np.isfinite(probe[a]).all() and np.isfinite(original[b]).all() for a, b in pairs)


def _scores(
    probes: Sequence[np.ndarray],
    gallery: Sequence[np.ndarray],
    pairs: Sequence[tuple[int, int]],
    train: np.ndarray,
    test: np.ndarray,
) -> dict[str, np.ndarray]:
    """{attacker: (test heads, test heads) how sure he is that a defaced head and an original are the same one}."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    look = Pairs(probes, gallery, pairs, train)
    learned = training_pairs(train)
    tested = np.array([(i, j) for i in test for j in test])
    known, asked = look.features(learned), look.features(tested)
    same, result = learned[:, 0] == learned[:, 1], {}
    for name, strength in ATTACKERS.items():
        there, can = (np.isfinite(part[name]).all(1) for part in (known, asked))
        result[name] = scores = np.full(len(tested), np.nan)
        if len(np.unique(same[there])) < 2:  # no two training heads have a view in common
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=1000))
        model.fit(known[name][there], same[there])
        if can.any():
            scores[can] = model.decision_function(asked[name][can])
    return {name: scores.reshape(len(test), len(test)) for name, scores in result.items()}


def training_pairs(heads: np.ndarray) -> np.ndarray:
    """(n, 2) pairs of ``heads``: each with itself, and with others, at most ``MOST_OTHERS``."""
    random, found = np.random.default_rng(SEED), []
    for head in heads:
        others = heads[heads != head]
        drawn = random.choice(others, min(MOST_OTHERS, len(others)), replace=False)
        found += [(head, head), *((head, other) for other in drawn)]
    return np.array(found)


class Pairs:
    """Features of pairs of heads, mean over pairs of views; what a fill does to all heads is learned from ``train``."""

    def __init__(
        self, probes: Sequence[np.ndarray], gallery: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]], train: np.ndarray
    ) -> None:
        first, second = (list(part) for part in zip(*pairs))
        self._sides = [
            (p[:, first], g[:, second], _mean(p[train][:, first]), _mean(g[train][:, second])) for p, g in zip(probes, gallery)
        ]

    def features(self, heads: np.ndarray) -> dict[str, np.ndarray]:
        """{attacker: (n, features)} of the pairs ``heads`` (n, 2) of a defaced head and an original.

        ``distances``: for each recogniser the Euclidean distance of the points, and the distance and the cosine of the
        points less the mean point of the training heads. ``elements``: these, and the absolute difference and the product
        of each number.
        """
        near, every = [], []
        for probes, gallery, probe_mean, original_mean in self._sides:
            a, b = probes[heads[:, 0]], gallery[heads[:, 1]]
            plain = np.linalg.norm(a - b, axis=2)
            a, b = a - probe_mean, b - original_mean
            lengths = np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2)
            cosine = (a * b).sum(2) / np.maximum(lengths, 1e-12)
            near.append(_mean(np.stack([plain, np.linalg.norm(a - b, axis=2), cosine], 2), 1))
            every += [_mean(np.abs(a - b), 1), _mean(a * b, 1)]
        return {"distances": np.hstack(near), "elements": np.hstack([*near, *every])}


def _mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean of the values that are there; NaN where none is."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis) / there.sum(axis)
