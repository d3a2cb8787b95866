"""A module of the mercure orchestrator: one study from the folder MERCURE_IN_DIR to MERCURE_OUT_DIR, as its task.json wants.

A task that ends with an error goes to mercure's folder of errors; nothing of it lies in MERCURE_OUT_DIR then.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cases.result import Result
from ..dicom.deface_study import deface_dicom, require_defaced
from ..errors import CTADefaceError, InputError, UsageError
from ..files.storage.moves import flush
from ..files.storage.private import private_folder
from ..files.storage.temporary import temporary_folder
from ..release.hospital_folder import require_outside
from .config import options_in
from .config_table import Table

TASK = "task.json"
RELEASE = ".release-"
SUFFIX = ".dcm"


def run_module(source: Path, target: Path, warn: Callable[[str], None]) -> list[Result]:
    """Deface the study in ``source``; its files appear in ``target``, all of them, or none.

    Returns: the ``Result`` of each series. Raises: CTADefaceError when a series was stopped or failed, because a study goes
    out whole or not at all; UsageError for settings of the task that would give a face away or cannot be understood.
    """
    task = _task(source)
    process = task.get("process") or {}
    if str(process.get("retain_input_images", "")).lower() == "true":
        raise UsageError(f"{source / TASK}: retain_input_images sends the originals too; switch it off in the rule.")
    settings = Table(source / TASK, dict(process.get("settings") or {}), "process.settings")
    hospital = settings.path("hospital")
    for folder in (source, target):
        require_outside(hospital, folder, "Masks and records")
    hospital = private_folder(hospital) / _name(task)
    options = options_in(settings)
    settings.end()
    with temporary_folder(hospital.parent, RELEASE) as release:
        results = deface_dicom(
            source, release, replace(options, records=str(hospital), patients=str(hospital.parent)), warn=warn
        )
        wrong = [result for result in results if result.status in ("blocked", "failed")]
        require_defaced(wrong or results, source.name)
        _hand_over(release, target)
    return results


def _task(source: Path) -> dict[str, Any]:
    try:
        task = json.loads((source / TASK).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{source / TASK}: cannot be read ({error}); this command is for modules of mercure.") from None
    if not isinstance(task, dict):
        raise InputError(f"{source / TASK}: is no task of mercure; this command is for modules of mercure.")
    return task


def _name(task: dict[str, Any]) -> str:
    """The folder of a task's masks and records, called by its ID, of which nothing can lead elsewhere."""
    return "task-" + "".join(letter for letter in str(task.get("id", "")) if letter.isalnum() or letter == "-")


def _hand_over(release: Path, target: Path) -> None:
    """Copy the files of all series into one folder, as mercure wants it. Raises: CTADefaceError, and none are left then."""
    made: list[Path] = []
    try:
        for path in sorted(release.glob("*/*")):
            made.append(target / f"{path.parent.name}_{path.stem}{SUFFIX}")
            shutil.copyfile(path, made[-1])
            flush(made[-1])
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise CTADefaceError(f"{target}: cannot be written ({error.strerror}); free space.") from None
