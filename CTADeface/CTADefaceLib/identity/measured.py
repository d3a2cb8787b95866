"""What a validation measured of the method: how often a person is recognised from its output.

``Resources/identity.json`` holds the figures, the command that printed them, and what they were made of. Only
``Testing/validation/publish.py`` writes it, from a finished run (``validation.cited``).
"""

from __future__ import annotations

import json
from pathlib import Path

from ..files.resources import resource

FILE = "identity.json"
COMMAND = "cta-deface validate DATA --report OUT"
NOT_MEASURED = (
    f"How often this version's output is recognised has not been measured; {COMMAND} measures it on heads "
    "with reference masks."
)


def measured(path: Path | None = None) -> dict | None:
    """The content of the file (None: the one that comes with the module); None when it holds no figures."""
    try:
        content = json.loads((path or resource(FILE)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if content.get("figures") else None


def method_sentence(content: dict | None) -> str:
    """The figures of ``measured`` in one sentence, with 95 % intervals and the command; for None: not measured."""
    if content is None:
        return NOT_MEASURED
    figures = "; ".join(_figure(found) for found in content["figures"])
    return (
        f"The method ({content['probe']}, against all originals in other views), as {content['command']} measured "
        f"it, with 95 % intervals: {figures}. An AUC of 0.5 is chance."
    )


def _figure(found: dict) -> str:
    low, high = (round(100 * found[key]) for key in ("rank1_low", "rank1_high"))
    return (
        f"{found['title']} rank-1 {found['rank1']} of {found['heads']} ({low} to {high} %), AUC {found['auc']:.2f} "
        f"({found['auc_low']:.2f} to {found['auc_high']:.2f})"
    )
