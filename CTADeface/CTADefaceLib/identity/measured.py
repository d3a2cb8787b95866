"""What is known of the method, beside one case's verdict: how often its output is recognised, as a validation measured.

``Resources/identity.json`` holds the figures, the command that printed them, and what they were made of; nothing else
writes it than ``Testing/validation/publish.py``, from a finished run (``validation.cited``).
"""

import json

from ..files.resources import resource

FILE = "identity.json"
COMMAND = "cta-deface validate DATA --report OUT"
NOT_MEASURED = (f"How often this version's output is recognised has not been measured; {COMMAND} measures it on heads "
                "with reference masks.")


def measured(path=None):
    """The content of the file (None: the one that comes with the module); None when it holds no figures."""
    try:
        content = json.loads((path or resource(FILE)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if content.get("figures") else None


def method_sentence(content):
    """The figures of ``measured`` in one sentence, with 95 % intervals and the command; of None, that there are none."""
    if content is None:
        return NOT_MEASURED
    figures = "; ".join(_figure(found) for found in content["figures"])
    return (f"The method ({content['probe']}, against all originals in other views), as {content['command']} measured "
            f"it, with 95 % intervals: {figures}. An AUC of 0.5 is chance.")


def _figure(found):
    low, high = (round(100 * found[key]) for key in ("rank1_low", "rank1_high"))
    return (f"{found['title']} rank-1 {found['rank1']} of {found['heads']} ({low} to {high} %), AUC {found['auc']:.2f} "
            f"({found['auc_low']:.2f} to {found['auc_high']:.2f})")
