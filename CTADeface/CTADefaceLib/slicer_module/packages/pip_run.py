"""Runs pip in Slicer, and says why it failed."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TextIO

from ...errors import CTADefaceError
from ..texts import _
from .installed import PINNED, requirement_name, state

# Called with the arguments of 'pip install'.
Pip = Callable[[list[str]], object]


class PackageError(CTADefaceError):
    """The Python packages could not be installed, or cannot be installed here."""


def pip_ensure() -> Callable[..., object] | None:
    """Slicer's installer that leaves its own packages alone; None before Slicer 5.11."""
    try:
        from slicer.packaging import pip_ensure as ensure
    except ImportError:
        return None
    return ensure


def pip_install(lines: list[str], wheel_folder: str | Path | None, site_packages: str | Path | None, pip: Pip | None) -> None:
    if pip is None:
        from slicer.util import pip_install as of_slicer

        pip = of_slicer
    offline = ["--no-index", "--find-links", str(wheel_folder)] if wheel_folder else []
    with pins(lines, site_packages) as kept:
        pip([*lines, *offline, "-c", str(kept)])


@contextmanager
def pins(lines: Sequence[str], site_packages: str | Path | None) -> Iterator[Path]:
    """A file that tells pip to keep the versions that Slicer has, except those of what is to be installed."""
    wanted, versions = {requirement_name(line) for line in lines}, state(site_packages).versions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(f"{name}=={versions[name]}\n" for name in PINNED if name in versions.keys() - wanted))
        yield path


class _Transcript(StringIO):
    """Keeps what pip prints, which Slicer's exceptions do not carry, and still shows it in the console."""

    def __init__(self, console: TextIO | None) -> None:
        super().__init__()
        self.console = console

    def write(self, text: str) -> int:
        if self.console:
            self.console.write(text)
        return super().write(text)


@contextmanager
def explained(names: str) -> Iterator[None]:
    """Turn whatever the installation raises into a ``PackageError`` with pip's last telling lines."""
    transcript = _Transcript(sys.stdout)
    try:
        with redirect_stdout(transcript):
            yield
    except Exception as error:
        raise PackageError(
            _(
                "Installing {names} failed: {lines}\nCheck the network and the free disk space, restart Slicer and press "
                "Install packages again, or install from a folder of wheels."
            ).format(names=names, lines=_telling_lines(transcript.getvalue(), error))
        ) from error


def _telling_lines(printed: str, error: Exception) -> str:
    """The last lines that tell why pip failed."""
    # Slicer's exception holds a closed pipe as its output, that of subprocess a string.
    texts = [
        text for text in (printed, getattr(error, "output", None), getattr(error, "stderr", None)) if isinstance(text, str)
    ]
    lines = list(dict.fromkeys(line.strip() for line in "\n".join(texts).splitlines() if line.strip()))
    telling = [line for line in lines if re.match(r"\w*error\b|.* depends on |The user requested", line, re.IGNORECASE)]
    return "\n".join((telling or [*lines[-2:], str(error)])[-4:])
