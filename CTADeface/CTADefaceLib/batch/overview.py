"""The whole batch on one page and in one table, for the hospital: both name cases, and pictures show original faces."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable
from io import StringIO
from pathlib import Path
from urllib.parse import quote

from ..checks.check import TITLES
from ..errors import MissingPackages
from ..files.publish import publishing
from ..release.thumbnail import thumbnail_path
from .manifest import Manifest
from .summary import Row, Summary

PAGE, TABLE = "overview.html", "summary.csv"
# More rows would make a browser slow.
MOST_ROWS = 1000
COLUMNS = (
    "case",
    "kind",
    "status",
    "released_as",
    "blocking",
    "overridden",
    "warned",
    "problem",
    "review",
    "by",
    "mask_ml",
    "seconds",
    "outputs",
    "record",
    "report",
    "time",
)
# What a spreadsheet program would take for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

TEMPLATE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Batch overview</title><style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { text-align: left; padding: .3em .8em; vertical-align: top;
border-bottom: 1px solid #ddd } .number { text-align: right } .long { overflow-wrap: anywhere; min-width: 12em }
th { white-space: nowrap } img { max-width: 32em }
.secret { background: #fdecea; border: 1px solid #c62828; padding: .6em 1em } .bad { color: #c62828 } .doubt { color: #b26a00 }
</style></head><body>
<h1>Batch overview</h1>
<p class="secret"><b>For the hospital only.</b> This page names cases, and its pictures show the original faces.</p>
<p><b>{{ summary.in_short }}</b></p>
{% for line in summary.checks_in_words + summary.not_taken %}<p>{{ line }}</p>
{% endfor %}
{% if checks %}<h2>Checks</h2>
<table><tr><th>Check</th><th>Blocked</th><th>Let through by a reason</th><th>Warned</th></tr>
{% for title, numbers in checks %}<tr><td>{{ title }}</td>
{% for number in numbers %}<td class="number">{{ number or "" }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
<h2>Cases, the worst first</h2>
<table><tr><th>Case</th><th>Status</th><th>Before and after</th><th>Checks</th><th>What went wrong</th><th>Files</th></tr>
{% for row in rows %}<tr><td class="long">{{ row.case }}{% if row.released_as %}<br>{{ row.released_as }}{% endif %}</td>
<td{% if row.is_open %} class="bad"{% endif %}>{{ row.status }}
{% if row.review %}<br>{{ row.review }} by {{ row.by }}{% endif %}</td>
<td>{% if row.record in pictures %}<img loading="lazy" alt="before and after" src="{{ pictures[row.record] }}">{% endif %}</td>
<td>{% for what, style, names in (("fails", "bad", row.blocking), ("let through", "bad", row.overridden),
("warns", "doubt", row.warned)) %}{% for name in names %}
<span class="{{ style }}">{{ what }}: {{ titles.get(name, name) }}</span><br>{% endfor %}{% endfor %}</td>
<td class="long">{{ row.problem }}</td>
<td>{% for text, path in (("report", row.report), ("record", row.record)) %}{% if path %}
<a href="{{ link(path) }}">{{ text }}</a><br>{% endif %}{% endfor %}</td></tr>
{% endfor %}</table>
{% if more %}<p>and {{ more }} more, all of them in {{ table }}</p>{% endif %}
</body></html>
"""


def write_overview(summary: Summary, entries: Iterable[dict], manifest: Manifest) -> None:
    """Write ``PAGE`` and ``TABLE`` beside the ``manifest``, in place of earlier ones, for the owner only.

    Parameters: ``summary`` of the ``entries`` of the manifest.
    Raises: OutputError; MissingPackages without jinja2, after the table was written.
    """
    folder = manifest.path.parent
    rows = sorted(map(Row.of, entries), key=lambda row: row.badness)
    try:
        page = _page(summary, rows, folder)
    except ImportError:
        page = None
    names = [TABLE] if page is None else [TABLE, PAGE]
    with publishing([folder / name for name in names], overwrite=True) as staged:
        # Names of files may hold bytes that are no letters.
        for path, text in zip(staged, (_table(rows), page)):
            path.write_bytes((text or "").encode("utf-8", "backslashreplace"))
    if page is None:
        raise MissingPackages(
            f"{folder / PAGE}: was not written, because jinja2 is missing; install it with: pip install jinja2."
        )


def _page(summary: Summary, rows: list[Row], folder: Path) -> str:
    """The page. Raises: ImportError without jinja2."""
    from jinja2 import Environment, StrictUndefined

    shown = rows[:MOST_ROWS]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE)
    return template.render(
        summary=summary,
        checks=_checks(summary),
        rows=shown,
        more=len(rows) - len(shown),
        pictures=_pictures(shown, folder),
        titles=TITLES,
        table=TABLE,
        link=_link,
    )


def _checks(summary: Summary) -> list[tuple[str, list[int]]]:
    """(title, how many cases it blocked, was overridden in, warned in) of each check, the worst first."""
    kinds = summary.failed_checks, summary.overridden_checks, summary.warned_checks
    numbers = {name: [kind.get(name, 0) for kind in kinds] for name in dict.fromkeys(name for kind in kinds for name in kind)}
    return [(TITLES.get(name, name), numbers[name]) for name in sorted(numbers, key=lambda name: numbers[name], reverse=True)]


def _pictures(rows: Collection[Row], folder: Path) -> dict[str, str]:
    """Record -> link to the picture beside it, where there is one."""
    pictures = ((row.record, thumbnail_path(row.record)) for row in rows if row.record)
    return {record: _link(picture) for record, picture in pictures if (folder / picture).is_file()}


def _link(path: str | Path) -> str:
    return quote(os.fsencode(Path(path).as_posix()))


def _table(rows: Iterable[Row]) -> str:
    """Comma separated values, a case a line."""
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row in rows:
        lines.writerow([_cell(getattr(row, column)) for column in COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    """A value as text that no spreadsheet program runs: what looks like a formula gets an apostrophe in front."""
    text = "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
