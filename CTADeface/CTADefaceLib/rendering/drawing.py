"""The process that draws pictures for another one, see ``elsewhere``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from .. import errors
from ..child_process.pipe import Pipe
from .offscreen import draw_views


def serve(pipe: Pipe) -> None:
    """Answer ("", pictures), or (class of an error, its sentence), to what ``draw_views`` takes, until ``pipe`` is closed."""
    # The other end is closed when its work is done, or when it has died.
    with suppress(EOFError, OSError):
        while True:
            pipe.send(_drawn(pipe.receive()))


def _drawn(wanted: tuple) -> tuple[str, Any]:
    try:
        return "", draw_views(*wanted)
    except errors.CTADefaceError as error:
        return type(error).__name__, str(error)
    except Exception as error:
        return "DeviceError", f"A picture could not be drawn ({errors.first_line(error)})."
