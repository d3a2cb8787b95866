"""Installs the Python packages that the engine needs into Slicer; ``installed`` tells which are missing."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import ParamSpec, TextIO, TypeVar

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ...errors import CTADefaceError
from ..texts import _
from .installed import (
    FOLDERS,
    PINNED,
    REQUIREMENTS,
    SKIPPED,
    PackageState,
    distribution,
    half_installed,
    leftovers,
    matching,
    missing,
    missing_for,
    registered,
    requirement_name,
    requirements,
    site_folder,
    state,
    version_of,
)
from .preflight import DiskUsage, estimate, gb, preflight, pytorch_extension, unwritable, within_path_limit

# Called with a question and a title: does the user agree?
Confirm = Callable[[str, str], object]
# Called with the arguments of 'pip install'.
Pip = Callable[[list[str]], object]
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_installing = threading.Lock()


class PackageError(CTADefaceError):
    """The Python packages could not be installed, or cannot be installed here."""


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
    download, disk = estimate(missing, _wheels(wheel_folder) if wheel_folder else None)
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


def _ask(confirm: Confirm | None, text: str, title: str) -> None:
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


def _wheels(folder: str | Path) -> set[tuple[str, Version]]:
    """(name, version) of each wheel in a folder that this Python can install."""
    tags = set(sys_tags())
    found: set[tuple[str, Version]] = set()
    for path in Path(folder).glob("*.whl"):
        try:
            name, version, _build, fitting = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if fitting & tags:
            found.add((name, version))
    return found


def _refuse_incomplete(wheels: Iterable[tuple[str, Version]], needed: Sequence[str], folder: str | Path) -> None:
    """Raise ``PackageError`` when one of the requirements is not among the ``wheels`` of ``folder``."""
    absent = [
        line
        for line in needed
        if not any(
            name == canonicalize_name(requirement_name(line))
            and Requirement(line).specifier.contains(version, prereleases=True)
            for name, version in wheels
        )
    ]
    if absent:
        raise PackageError(
            _(
                "{folder} has no wheel for this Python ({tag}) of {names}; make the folder with the same Slicer on a "
                "computer that has a network: PythonSlicer -m pip wheel {requirements} -w FOLDER"
            ).format(
                folder=folder,
                tag=next(sys_tags()),
                names=", ".join(absent),
                requirements=" ".join(f'-r "{path}"' for path in sorted(REQUIREMENTS.parent.glob("requirements*.txt"))),
            )
        )


def _one_at_a_time(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Refuse a second installation while one runs: Slicer handles clicks while pip runs, and the two would collide."""

    @wraps(function)
    def alone(*arguments: Arguments.args, **options: Arguments.kwargs) -> Answer:
        if not _installing.acquire(blocking=False):
            raise PackageError(_("Python packages are being installed already; wait until that has ended."))
        try:
            return function(*arguments, **options)
        finally:
            _installing.release()

    return alone


@_one_at_a_time
def install(
    wheel_folder: str | Path | None = None,
    confirm: Confirm | None = None,
    *,
    site_packages: str | Path | None = None,
    pip: Pip | None = None,
    disk_usage: DiskUsage = shutil.disk_usage,
) -> PackageState:
    """Install what is missing, after asking; does nothing when nothing is missing.

    Parameters: ``wheel_folder`` to install without network; ``confirm(text, title)`` answers the question, by default
    in Slicer's dialog; ``pip``, called with the arguments of 'pip install', instead of Slicer's ways to install.
    Returns: the ``PackageState``, ready. Raises: ``PackageError``; ``Declined``, then nothing was changed.
    """
    return _install_missing(wheel_folder, confirm, site_packages, pip, disk_usage)


def _install_missing(
    wheel_folder: str | Path | None,
    confirm: Confirm | None,
    site_packages: str | Path | None,
    pip: Pip | None,
    disk_usage: DiskUsage,
) -> PackageState:
    now = state(site_packages)
    if now.ready:
        return now
    needed = [within_path_limit(line, site_folder(site_packages)) for line in now.missing]
    wheels = _wheels(wheel_folder) if wheel_folder else None
    problems = preflight(estimate(needed, wheels)[1], site_packages, disk_usage)
    fatal = [problem.text for problem in problems if problem.fatal]
    if fatal:
        raise PackageError(" ".join(fatal))
    if wheel_folder and wheels is not None:
        _refuse_incomplete(wheels, needed, wheel_folder)
    question = [consent_text(needed, site_packages, wheel_folder), *(problem.text for problem in problems)]
    _ask(confirm, "\n\n".join(question), _("CTADeface - Install packages"))
    _install_torch([line for line in needed if requirement_name(line) == "torch"], wheel_folder, site_packages, pip)
    _install_rest([line for line in needed if requirement_name(line) not in SKIPPED], wheel_folder, site_packages, pip)
    now = state(site_packages)
    if not now.ready:
        raise PackageError(_("The installation ended, but is not complete. {reason}").format(reason=now.reason))
    return now


def _install_torch(
    lines: list[str], wheel_folder: str | Path | None, site_packages: str | Path | None, pip: Pip | None
) -> None:
    if not lines:
        return
    # The extension's torchInstalled() would import torch, so it is not called.
    extension = None if pip or wheel_folder else pytorch_extension()
    with _explained("torch"):
        if extension:
            # It also picks the build for the graphics card.
            extension.installTorch(askConfirmation=False, torchVersionRequirement=str(Requirement(lines[0]).specifier))
        else:
            _pip_install(lines, wheel_folder, site_packages, pip)


def _install_rest(
    lines: list[str], wheel_folder: str | Path | None, site_packages: str | Path | None, pip: Pip | None
) -> None:
    if not lines:
        return
    ensure = None if pip or wheel_folder else _pip_ensure()
    with _explained(", ".join(map(requirement_name, lines))):
        if ensure:
            with _pins(lines, site_packages) as pins:
                ensure(lines, pins, skip_packages=list(SKIPPED), prompt_install=False, requester="CTADeface")
            # Slicer only warns of a dependency that failed; an error raised here carries pip's words.
            now = state(site_packages)
            if not now.ready:
                raise RuntimeError(now.reason)
        else:
            _pip_install(lines, wheel_folder, site_packages, pip)


def _pip_ensure() -> Callable[..., object] | None:
    """Slicer's installer that leaves its own packages alone; None before Slicer 5.11."""
    try:
        from slicer.packaging import pip_ensure
    except ImportError:
        return None
    return pip_ensure


def _pip_install(lines: list[str], wheel_folder: str | Path | None, site_packages: str | Path | None, pip: Pip | None) -> None:
    if pip is None:
        from slicer.util import pip_install

        pip = pip_install
    offline = ["--no-index", "--find-links", str(wheel_folder)] if wheel_folder else []
    with _pins(lines, site_packages) as pins:
        pip([*lines, *offline, "-c", str(pins)])


@contextmanager
def _pins(lines: Sequence[str], site_packages: str | Path | None) -> Iterator[Path]:
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
def _explained(names: str) -> Iterator[None]:
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


@_one_at_a_time
def ensure_for(
    use: str,
    purpose: str,
    wheel_folder: str | Path | None = None,
    confirm: Confirm | None = None,
    *,
    site_packages: str | Path | None = None,
    pip: Pip | None = None,
) -> None:
    """Install what one ``use`` (see ``requirements``) needs beyond the rest, after asking; ``purpose`` in words.

    Raises: ``PackageError``; ``Declined``, then nothing was changed.
    """
    importlib.invalidate_caches()
    lines = missing_for(use, site_packages)
    if not lines:
        _require_fresh(use)
        return
    if wheel_folder:
        _refuse_incomplete(_wheels(wheel_folder), lines, wheel_folder)
    found = [distribution(requirement_name(line), site_packages) for line in lines]
    names = [
        line if old is None else _("{name} in place of {version}").format(name=line, version=version_of(old))
        for line, old in zip(lines, found)
    ]
    text = _(
        "{purpose} needs these Python packages: {names}. They take about 50 MB, and all of Slicer uses them. No image "
        "and no other data of yours is sent. Install them now?"
    ).format(purpose=purpose, names=", ".join(names))
    _ask(confirm, text, _("CTADeface - Install packages"))
    with _explained(", ".join(map(requirement_name, lines))):
        _pip_install(lines, wheel_folder, site_packages, pip)
    importlib.invalidate_caches()
    _require_fresh(use)


def _require_fresh(use: str) -> None:
    """Raise ``PackageError`` when the loaded version of a package is older than the one on the disk."""
    for line in requirements(use):
        requirement = Requirement(line)
        version = getattr(sys.modules.get(requirement.name.replace("-", "_")), "__version__", None)
        if version and not requirement.specifier.contains(version, prereleases=True):
            raise PackageError(
                _("{name} was replaced by a newer version while Slicer was using it; restart Slicer.").format(
                    name=requirement.name
                )
            )


@_one_at_a_time
def repair(
    wheel_folder: str | Path | None = None,
    confirm: Confirm | None = None,
    *,
    site_packages: str | Path | None = None,
    pip: Pip | None = None,
    disk_usage: DiskUsage = shutil.disk_usage,
) -> PackageState:
    """Remove what is half installed of torch and nnunetv2, after asking, then ``install``.

    Parameters, returns and raises: as ``install``.
    """
    folder = site_folder(site_packages)
    if why := unwritable(folder):
        raise PackageError(why)
    halves = [name for name in FOLDERS if half_installed(folder, name)]
    doomed = [path for name in FOLDERS for path in leftovers(folder, name)]
    for name in halves:
        doomed += registered(folder, name) + matching(folder, FOLDERS[name].__contains__)
    if not doomed:
        return _install_missing(wheel_folder, confirm, site_packages, pip, disk_usage)
    again = [line for line in requirements() if requirement_name(line) in halves]
    needed = list(dict.fromkeys(again + missing(site_packages)))
    needed = [within_path_limit(line, folder) for line in needed]
    if wheel_folder:
        _refuse_incomplete(_wheels(wheel_folder), needed, wheel_folder)
    question = [
        _("These incomplete parts are removed from {folder}: {names}").format(
            folder=folder, names=", ".join(path.name for path in doomed)
        )
    ]
    if needed:
        question.append(consent_text(needed, site_packages, wheel_folder))
    _ask(confirm, "\n\n".join(question), _("CTADeface - Repair packages"))
    _remove(doomed)
    return _install_missing(wheel_folder, lambda text, title: True, site_packages, pip, disk_usage)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise PackageError(
                _("{path} cannot be removed ({why}); restart Slicer and press Repair packages before anything else.").format(
                    path=path, why=error.strerror
                )
            ) from error
