"""What the sections share."""

import traceback
from contextlib import contextmanager

import slicer

from ...errors import Cancelled, CTADefaceError
from ..texts import _


def switch(button, why_off, tool_tip):
    """Enable ``button`` when ``why_off`` is empty; the tooltip says what it does, or why it is off."""
    button.enabled = not why_off
    button.toolTip = why_off or tool_tip


def no_volume(panel):
    """Why nothing can be done without a volume, or an empty text."""
    return "" if panel.volume is not None else _("Load a head CT and choose it as volume first.")


def no_mask(panel):
    """Why nothing can be done without a mask, or an empty text."""
    return no_volume(panel) or ("" if panel.segmentation is not None else _("Segment the face first."))


@contextmanager
def errors_shown(panel):
    """Show what goes wrong as one sentence, with the traceback in the log; nothing when a person cancelled."""
    try:
        yield
    except Cancelled:
        panel.log(_("Cancelled."))
    except CTADefaceError as error:
        show_error(panel, error)
    except Exception as error:
        panel.log(traceback.format_exc())
        show_error(panel, error)


def show_error(panel, error, log=""):
    """One sentence in a window; the log goes into the log section."""
    text = str(error) or type(error).__name__
    if log:
        panel.log(log)
    panel.log(text)
    slicer.util.errorDisplay(text, windowTitle="CTADeface")
