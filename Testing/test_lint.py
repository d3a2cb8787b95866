"""Style and types, as ``pyproject.toml`` asks for them; the versions of the tools are pinned in ``constraints.txt``."""

import subprocess
import sys

import pytest

from helpers.paths import ROOT

COMMANDS = {
    "ruff check": ["ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy", "--no-incremental"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_found(command):
    done = subprocess.run([sys.executable, "-m", *COMMANDS[command]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
