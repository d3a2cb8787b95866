"""The report: one HTML page that loads nothing, a PDF, the tables for a README, and numbers as JSON."""

from __future__ import annotations

import base64
import io
import json
import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ...release.report import STYLE
from ..methods import ORIGINAL, TITLES
from ..results_store import finite, write_whole
from .cited import cited
from .figure_tables import Table
from .figures import DPI, Picture, box_plot, montage
from .study_summary import Summary
from .table_cells import PAPER, PAPER_N
from .tables import all_tables, main_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..protocol import Protocol
    from ..results_store import Key, Results, Store

NAMES = ("report.html", "report.pdf", "main_table.md", "tables.json", "identity.json")
WIDE = "body { max-width: 90em } table { font-size: 85% } figure { margin: 1em 0 } .note { color: #555 }"
PAGE_INCHES = (11.7, 8.3)
# Letters that fit into a line of text and into a row of a table, and rows that fit on a page.
LINE_LETTERS, CELL_LETTERS, ROWS_A_PAGE = 150, 190, 22


def limits(summary: Summary) -> list[str]:
    """What the reader has to know of the figures, as sentences."""
    heads = len(summary.heads)
    originals = [found for head in summary.heads if (found := summary.result(head, ORIGINAL))]
    coarse = sum(max(found["spacing_mm"][:2]) > 2 for found in originals)
    return [
        f"n = {heads} heads (the paper: {PAPER_N}); p above 0.05 after correction do not show that two methods are alike.",
        f"{coarse} of {heads} heads have voxels of more than 2 mm in plane: their faces are steps, which detectors "
        "seldom find even before defacing, so low rates after it say little on these heads.",
        "The reference masks were made semi-automatically and looked at one by one; they are not drawn by hand, and "
        "the shipped model learned from masks made in the same way.",
        "Heads whose field of view ends at the brow or above the nose show too little brain for a sure registration: "
        "box and atlas are worse here than on whole heads, and rigid instead of affine where the brain's top is cut.",
        "Box: made anew from the description of ICHSEG's ct_face_mask, on the MNI152 brain that the package caideface "
        "carries, not on ICHSEG's template. Atlas: caideface's mask of the MNI152 brain with a registration of our "
        "own.",
        f"Neither the heads nor the weights of {PAPER} are at hand; its figures stand beside ours for orientation, "
        "and no number was read off its box plots.",
        "One scan a head: identification is between a head and its own scan, not between two scans or scan and photograph.",
    ]


def write_report(out: Path, results: Results, protocol: Protocol, key: Key, store: Store) -> list[Path]:
    """Write the report of ``run_study.run_study``'s ``results`` into the folder ``out``; returns the paths.

    Raises: OSError when the folder cannot be written.
    """
    summary = Summary(results, protocol)
    tables = all_tables(summary)
    drawn = montage(summary, store), box_plot(summary, "probability"), box_plot(summary, "distance")
    pictures = [picture for picture in drawn if picture]
    contents = (
        html_page(summary, tables, pictures, key).encode(),
        pdf_pages(summary, tables, pictures),
        markdown(main_table(summary)).encode(),
        json.dumps(
            finite(
                {
                    "key": key,
                    "protocol": protocol.as_dict(),
                    "limits": limits(summary),
                    "tables": [vars(table) for table in tables],
                }
            ),
            indent=1,
        ).encode(),
        json.dumps(finite(cited(summary, key)), indent=1).encode(),
    )
    paths = [out / name for name in NAMES]
    for path, content in zip(paths, contents):
        write_whole(path, content)
    return paths


def html_page(summary: Summary, tables: Sequence[Table], pictures: Sequence[Picture], key: Key) -> str:
    """The whole report as one HTML page, pictures included."""
    parts = [
        _html_table(tables[0]),
        *(_html_picture(picture) for picture in pictures),
        *(_html_table(table) for table in tables[1:]),
    ]
    rules = "".join(f"<li>{escape(text)}</li>" for text in limits(summary))
    facts = json.dumps({"protocol": summary.protocol.as_dict(), "made of": key}, indent=1)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>CTADeface: validation</title>
<style>{STYLE}{WIDE}</style></head><body>
<h1>Validation after {escape(PAPER)}</h1>
<p class="secret"><b>For the hospital only.</b> This page shows original faces. It must not lie in a release folder.</p>
<p>{len(summary.heads)} heads, {len(summary.protocol.methods)} methods, {len(summary.protocol.views)} views,
{len(summary.failures)} failures (listed below).</p>
{"".join(parts)}
<h2>Limits</h2><ul>{rules}</ul>
<h2>Protocol, fixed before the run, and what the results were made of</h2><pre>{escape(facts)}</pre>
</body></html>
"""


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<h2>{escape(table.title)}</h2><table><tr>{head}</tr>{rows}</table><p class="note">{escape(table.note)}</p>'


def _html_picture(picture: Picture) -> str:
    buffer = io.BytesIO()
    picture.figure.savefig(buffer, format="png", dpi=DPI)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<h2>{escape(picture.title)}</h2><figure><img alt="{escape(picture.title)}" '
        f'src="data:image/png;base64,{data}">'
        f'<figcaption class="note">{escape(picture.note)}</figcaption></figure>'
    )


def markdown(table: Table) -> str:
    """A ``Table`` in GitHub's Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{table.note}\n"


def pdf_pages(summary: Summary, tables: Sequence[Table], pictures: Sequence[Picture]) -> bytes:
    """The report as a PDF, one page for each table and picture."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    with PdfPages(buffer) as pdf:
        pdf.savefig(
            _text_page(
                f"Validation after {PAPER}",
                [
                    "For the hospital only: these pages show original faces.",
                    f"{len(summary.heads)} heads. Methods: " + "; ".join(TITLES[state] for state in summary.states) + ".",
                    "Limits",
                    *limits(summary),
                ],
            )
        )
        for page in (
            *_table_pages(tables[0]),
            *(picture.figure for picture in pictures),
            *(page for table in tables[1:] for page in _table_pages(table)),
        ):
            pdf.savefig(page)
    return buffer.getvalue()


def _text_page(title: str, paragraphs: Sequence[str]) -> Figure:
    from matplotlib.figure import Figure

    page = Figure(figsize=PAGE_INCHES)
    text = "\n\n".join(textwrap.fill(paragraph, LINE_LETTERS) for paragraph in paragraphs)
    page.text(0.05, 0.93, title, fontsize=14, va="top")
    page.text(0.05, 0.87, text, fontsize=8, va="top")
    return page


def _table_pages(table: Table) -> Iterator[Figure]:
    """Figures of a ``Table``, as many as its rows need."""
    for start in range(0, len(table.rows), ROWS_A_PAGE):
        yield _table_page(table, table.rows[start : start + ROWS_A_PAGE])


def _table_page(table: Table, rows: Sequence[list[str]]) -> Figure:
    longest = [
        max(len(row[n]) for row in (*rows, [max(c.split(), key=len) for c in table.columns]))
        for n in range(len(table.columns))
    ]
    # The square root spares narrow columns from one with sentences.
    share = [max(n, 4) ** 0.7 for n in longest]
    widths = [n / sum(share) for n in share]
    cells = [
        [textwrap.fill(cell, max(int(width * CELL_LETTERS), 6)) for cell, width in zip(row, widths)]
        for row in (table.columns, *rows)
    ]
    lines = [max(cell.count("\n") + 1 for cell in row) for row in cells]
    page = _text_page(table.title, [table.note])
    axes = page.add_axes((0.04, 0.04, 0.92, 0.74))
    axes.axis("off")
    drawn = axes.table(cells[1:], colLabels=cells[0], colWidths=widths, cellLoc="left", loc="upper left")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6.5)
    for (row, _), cell in drawn.get_celld().items():
        cell.set_height(min(0.022 * lines[row] + 0.012, 0.95 * (lines[row] + 0.5) / (sum(lines) + 0.5 * len(lines))))
        cell.set_linewidth(0.3)
    return page
