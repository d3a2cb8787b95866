"""The repository's Markdown: its fenced blocks, commands, links and headings, for the tests that run and follow them."""

import re
import shlex

from helpers.paths import ROOT

REPOSITORY = "https://github.com/CTADeface/SlicerCTADeface"
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def documents():
    """Paths of all Markdown files that a person is meant to read."""
    found = [
        path
        for pattern in ("*.md", "docs/*.md", ".github/*.md", "Testing/**/*.md", "CTADeface/**/*.md")
        for path in ROOT.glob(pattern)
    ]
    return sorted(set(found))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


def blocks(path, language):
    """The contents of a document's fenced blocks in ``language``."""
    return [content for found, content in FENCE.findall(text_of(path)) if found == language]


def prose(path):
    """A document without its fenced blocks."""
    return FENCE.sub("", text_of(path))


def commands(path):
    """Each command of a document's ``bash`` blocks, as a list of words; a word in brackets, as [FILE], may be left out."""
    lines = [line for block in blocks(path, "bash") for line in block.replace("\\\n", " ").splitlines()]
    parts = [part for line in lines for part in _uncommented(line).split(" && ")]
    return [shlex.split(part) for part in parts if part.strip()]


def _uncommented(line):
    return re.sub(r"(^|\s)#.*", "", line)


def inline(path):
    """The pieces of code in a document's prose and tables."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def links(path):
    """(path, anchor) that each link and picture within the repository leads to."""
    for link in LINK.findall(prose(path)):
        link = re.sub(rf"^{REPOSITORY}/(blob|tree)/main/", f"{ROOT.as_posix()}/", link)
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        yield (path.parent / target).resolve() if target else path, anchor


def anchors(path):
    """The anchors that GitHub and MkDocs make of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
