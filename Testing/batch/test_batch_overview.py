"""The page and the table about a whole batch, for the hospital."""

import csv
import os
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.overview import PAGE, TABLE, write_overview
from CTADefaceLib.batch.summary import Row, Summary
from CTADefaceLib.errors import MissingPackages

NASTY = '<script>alert("x")</script>" onload="y/head.nii.gz'


def entry(case, status, **facts):
    return {"case": case, "kind": "file", "status": status, "outputs": [], "time": "2026-01-31T08:00:00+00:00", **facts}


ENTRIES = [
    entry("fine.nii", "defaced", outputs=["../out/case-0001_defaced.nii"], record="case-0001_record.json", mask_ml=300.5),
    entry("labels.nii", "left out", not_defaced=["labels.nii: looks like a labelmap"]),
    entry("warned.nii", "defaced", warned_checks=["chin", "forehead"], record="a b/x#1_record.json"),
    entry("let.nii", "defaced", failed_checks=["chin"], warned_checks=["mouth"], report="a b/x#2_record.html"),
    entry(NASTY, "failed", error="it cannot be read <b>", released_as="case-0005"),
    entry("two.nii", "blocked", failed_checks=["chin", "mouth"], error="two.nii: not exported"),
    entry("one.nii", "blocked", failed_checks=["forehead"], error="one.nii: not exported"),
    entry("seen.nii", "blocked", failed_checks=["bone"], review="rejected", by="Dr A", error="seen.nii: not exported"),
    entry("=1+1.nii", "mask only", warned_checks=["chin"]),
    entry("caf\udce9.nii", "defaced"),
]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A hospital's folder with page and table of ``ENTRIES``; one case has a picture."""
    folder = tmp_path_factory.mktemp("overview")
    (folder / "a b").mkdir()
    (folder / "a b" / "x#1_record_thumbnail.png").write_bytes(b"picture")
    write_overview(Summary.of(ENTRIES, 2, folder / NAME, 3), ENTRIES, Manifest(folder / NAME))
    return folder


class Page(HTMLParser):
    """Tags with attributes, and the text of each row of the last table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append("")

    def handle_data(self, data):
        if self.rows:
            self.rows[-1] += data


@pytest.fixture(scope="module")
def page(kept):
    return Page((kept / PAGE).read_text(encoding="utf-8"))


def test_the_worst_comes_first_and_what_a_person_has_decided_is_not_among_it():
    assert [row.case for row in sorted(map(Row.of, ENTRIES), key=lambda row: row.badness)] == [
        "two.nii",
        "one.nii",
        NASTY,
        "let.nii",
        "warned.nii",
        "=1+1.nii",
        "caf\udce9.nii",
        "fine.nii",
        "seen.nii",
        "labels.nii",
    ]


def test_terminal_page_and_table_count_the_same(kept, page):
    summary = Summary.of(ENTRIES, 2, kept / NAME, 3)
    assert summary.by_status == {"defaced": 4, "left out": 1, "failed": 1, "blocked": 3, "mask only": 1}
    assert summary.failed_checks == {"chin": 1, "mouth": 1, "forehead": 1} and summary.overridden_checks == {"chin": 1}
    assert summary.warned_checks == {"chin": 1, "forehead": 1, "mouth": 1} and len(summary.problems) == 3
    text = (kept / PAGE).read_text(encoding="utf-8")
    for line in (summary.in_short, *summary.checks_in_words, *summary.not_taken):
        assert line in text and line in list(summary.lines())
    with open(kept / TABLE, newline="", encoding="utf-8") as table:
        lines = list(csv.DictReader(table))
    assert len(lines) == len(ENTRIES) == len(page.rows) - 1
    by_case = {line["case"]: line for line in lines}
    assert by_case["let.nii"]["overridden"] == "chin" and by_case["two.nii"]["blocking"] == "chin mouth"
    assert by_case["fine.nii"]["outputs"] == "../out/case-0001_defaced.nii" and by_case["fine.nii"]["mask_ml"] == "300.5"
    assert by_case["labels.nii"]["problem"] == "looks like a labelmap" and by_case["seen.nii"]["by"] == "Dr A"
    assert "'=1+1.nii" in by_case and "caf\\udce9.nii" in by_case and NASTY in by_case


def test_names_do_nothing_on_the_page_and_nothing_is_loaded_from_elsewhere(kept, page):
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _attributes in page.tags}
    assert not [attributes for _tag, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert any(NASTY in row for row in page.rows) and any("it cannot be read <b>" in row for row in page.rows)
    links = [value for _tag, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert sorted(map(unquote, links)) == [
        "a b/x#1_record.json",
        "a b/x#1_record_thumbnail.png",
        "a b/x#2_record.html",
        "case-0001_record.json",
    ]
    assert all(re.fullmatch(r"[\w./%-]+", link) for link in links)


@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
def test_only_the_owner_may_read_them(kept):
    assert [os.stat(kept / name).st_mode & 0o777 for name in (PAGE, TABLE)] == [0o600] * 2


def test_without_jinja2_the_table_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    manifest = Manifest(tmp_path / NAME)
    with pytest.raises(MissingPackages, match="pip install jinja2"):
        write_overview(Summary.of(ENTRIES, 0, manifest.path), ENTRIES, manifest)
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]


def test_a_page_of_very_many_cases_shows_the_worst(tmp_path, monkeypatch):
    monkeypatch.setattr("CTADefaceLib.batch.overview.MOST_ROWS", 3)
    write_overview(Summary.of(ENTRIES, 0, tmp_path / NAME), ENTRIES, Manifest(tmp_path / NAME))
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "two.nii" in text and ">fine.nii" not in text and "and 7 more" in text
