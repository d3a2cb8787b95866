"""What the sections share: buttons that say why they are off, and errors that are shown."""

import traceback
from contextlib import contextmanager

import slicer

from ...errors import Cancelled, CTADefaceError
from ..texts import _


def switch(button, why_off, tool_tip):
    """Enable ``button`` if ``why_off`` is empty; its tooltip is ``tool_tip``, or ``why_off`` while it is off."""
    button.enabled = not why_off
    button.toolTip = why_off or tool_tip


def no_volume(panel):
    """What to do first when no volume is chosen, or an empty text."""
    return "" if panel.volume is not None else _("Load a head CT and choose it as volume first.")


def no_mask(panel):
    """What to do first when there is no volume or no mask, or an empty text."""
    return no_volume(panel) or ("" if panel.segmentation is not None else _("Segment the face first."))


@contextmanager
def errors_shown(panel):
    """Show an error as one sentence, an unexpected one with its traceback in the log; show nothing when the user cancelled."""
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
    """Show the error's sentence in a window; ``log`` goes into the log section."""
    text = str(error) or type(error).__name__
    if log:
        panel.log(log)
    panel.log(text)
    slicer.util.errorDisplay(text, windowTitle="CTADeface")
