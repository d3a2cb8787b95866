"""Installs the Python packages that the engine needs into Slicer; ``installed`` tells which are missing."""

from __future__ import annotations

import importlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from packaging.requirements import Requirement

from ..texts import _
from .consent import Confirm, ask, consent_text
from .installed import (
    FOLDERS,
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
from .pip_run import PackageError, Pip, explained, pins, pip_ensure, pip_install
from .preflight import DiskUsage, estimate, preflight, pytorch_extension, unwritable, within_path_limit
from .wheel_folder import refuse_incomplete, wheels_in

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_installing = threading.Lock()


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
    wheels = wheels_in(wheel_folder) if wheel_folder else None
    problems = preflight(estimate(needed, wheels)[1], site_packages, disk_usage)
    fatal = [problem.text for problem in problems if problem.fatal]
    if fatal:
        raise PackageError(" ".join(fatal))
    if wheel_folder and wheels is not None:
        refuse_incomplete(wheels, needed, wheel_folder)
    question = [consent_text(needed, site_packages, wheel_folder), *(problem.text for problem in problems)]
    ask(confirm, "\n\n".join(question), _("CTADeface - Install packages"))
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
    with explained("torch"):
        if extension:
            # It also picks the build for the graphics card.
            extension.installTorch(askConfirmation=False, torchVersionRequirement=str(Requirement(lines[0]).specifier))
        else:
            pip_install(lines, wheel_folder, site_packages, pip)


def _install_rest(
    lines: list[str], wheel_folder: str | Path | None, site_packages: str | Path | None, pip: Pip | None
) -> None:
    if not lines:
        return
    ensure = None if pip or wheel_folder else pip_ensure()
    with explained(", ".join(map(requirement_name, lines))):
        if ensure:
            with pins(lines, site_packages) as kept:
                ensure(lines, kept, skip_packages=list(SKIPPED), prompt_install=False, requester="CTADeface")
            # Slicer only warns of a dependency that failed; an error raised here carries pip's words.
            now = state(site_packages)
            if not now.ready:
                raise RuntimeError(now.reason)
        else:
            pip_install(lines, wheel_folder, site_packages, pip)


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
        refuse_incomplete(wheels_in(wheel_folder), lines, wheel_folder)
    found = [distribution(requirement_name(line), site_packages) for line in lines]
    names = [
        line if old is None else _("{name} in place of {version}").format(name=line, version=version_of(old))
        for line, old in zip(lines, found)
    ]
    text = _(
        "{purpose} needs these Python packages: {names}. They take about 50 MB, and all of Slicer uses them. No image "
        "and no other data of yours is sent. Install them now?"
    ).format(purpose=purpose, names=", ".join(names))
    ask(confirm, text, _("CTADeface - Install packages"))
    with explained(", ".join(map(requirement_name, lines))):
        pip_install(lines, wheel_folder, site_packages, pip)
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
        refuse_incomplete(wheels_in(wheel_folder), needed, wheel_folder)
    question = [
        _("These incomplete parts are removed from {folder}: {names}").format(
            folder=folder, names=", ".join(path.name for path in doomed)
        )
    ]
    if needed:
        question.append(consent_text(needed, site_packages, wheel_folder))
    ask(confirm, "\n\n".join(question), _("CTADeface - Repair packages"))
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
