"""What was written, as links that open the folder or the file."""

from html import escape

import qt

from ..texts import _


def written(released, kept):
    """Rich text: the folder of the ``released`` file or folder, and the files ``kept`` for the hospital (paths)."""
    lines = [_("Exported: {link}").format(link=_link(released.parent, f"{released.parent.name}/{released.name}"))]
    if kept:
        links = ", ".join(_link(path, path.name) for path in kept)
        lines.append(
            _("For the hospital only, in {folder}: {links}").format(
                folder=_link(kept[0].parent, kept[0].parent.name), links=links
            )
        )
    return "<br>".join(lines)


def open_link(address):
    """Show what a link of ``written`` points to."""
    qt.QDesktopServices.openUrl(qt.QUrl(address))


def _link(path, words):
    return f'<a href="{escape(path.resolve().as_uri())}">{escape(words)}</a>'
