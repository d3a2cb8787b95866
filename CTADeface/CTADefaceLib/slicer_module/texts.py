"""Slicer's translation of user-visible texts; outside of Slicer, the text itself."""

try:
    from slicer.i18n import tr as _
except ImportError:

    def _(text: str) -> str:
        return text


__all__ = ["_"]
