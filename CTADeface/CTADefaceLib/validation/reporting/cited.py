"""The figures that the identity check cites beside a case's own verdict: ``identity.json``, see ``identity.measured``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...identity.measured import COMMAND
from ..identification import WHO
from ..methods import TITLES
from ..protocol import read_protocol

if TYPE_CHECKING:
    from ..results_store import Key
    from .study_summary import Summary

# What the engine releases by default.
PROBE = "ours-levelled"


def cited(summary: Summary, key: Key) -> dict[str, Any]:
    """dict for JSON; ``figures`` is empty when the run has none of the method. ``key`` as ``results_store.run_key`` gives."""
    own = "" if summary.protocol == read_protocol() else " --protocol FILE"
    figures: list[dict[str, object]] = []
    if PROBE in summary.states:
        found = {title: summary.gallery(PROBE, who, across=True) for who, title in WHO.items()}
        figures = [{"title": title, **one} for title, one in found.items() if math.isfinite(one["auc"])]
    return {
        "command": COMMAND + own,
        "probe": TITLES[PROBE],
        "figures": figures,
        "protocol": summary.protocol.as_dict(),
        "made_of": key,
    }
