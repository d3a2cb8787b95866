"""Asks the user before packages are installed or removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..texts import _
from .installed import requirement_name, requirements, site_folder
from .pip_run import PackageError
from .preflight import estimate, gb
from .wheel_folder import wheels_in

# Called with a question and a title: does the user agree?
Confirm = Callable[[str, str], object]


class Declined(PackageError):
    """The user did not agree; nothing was changed."""


def consent_text(
    missing: Sequence[str], site_packages: str | Path | None = None, wheel_folder: str | Path | None = None
) -> str:
    """The question before installing: which packages, what they are for, their size, where they come from and go to."""
    uses = {
        "torch": _("runs the neural network"),
        "nnunetv2": _("defines the network; brings what it needs itself"),
        "SimpleITK": _("reads and resamples images"),
        "numpy": _("computes with images"),
    }
    other_use = _("needed by nnunetv2")
    lines = [f"- {line}: {uses.get(requirement_name(line), other_use)}" for line in missing]
    download, disk = estimate(missing, wheels_in(wheel_folder) if wheel_folder else None)
    origin = (
        _("Nothing is downloaded; they come from {folder}.").format(folder=wheel_folder)
        if wheel_folder
        else _("About {size} are downloaded from the Python and PyTorch package servers.").format(size=gb(download))
    )
    place = _("They take about {size} in {folder}.").format(size=gb(disk), folder=site_folder(site_packages))
    return "\n".join(
        [
            _("CTADeface needs these Python packages:"),
            *lines,
            "",
            origin,
            place,
            _("No image and no other data of yours is sent. Install them now?"),
        ]
    )


def ask(confirm: Confirm | None, text: str, title: str) -> None:
    """Ask with ``confirm``, or in Slicer's dialog. Raises: Declined."""
    if confirm is None:
        import slicer.util

        app = getattr(slicer, "app", None)
        if app is None or app.testingEnabled():
            # In testing mode Slicer answers OK by itself, and gigabytes would be downloaded.
            raise Declined(
                _(
                    "Nothing was installed, because nobody can be asked in Slicer's testing mode; install the "
                    "packages in a Slicer that was started without it."
                )
            )
        agreed: object = slicer.util.confirmOkCancelDisplay(text, title, detailedText="\n".join(requirements()))
    else:
        agreed = confirm(text, title)
    if not agreed:
        raise Declined(
            _("Nothing was installed or removed, because this was declined; press the button again when you want it.")
        )
