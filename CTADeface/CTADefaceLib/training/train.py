"""From a folder of annotated heads to a model folder: prepare, train, measure, package."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import InputError, OutputError
from ..files.storage.private import private_folder, private_umask

if TYPE_CHECKING:
    from ..models.loader import LoadedModel
    from .dataset import AnnotatedHead

DATASET_ID = 101
DATASET_NAME = "Dataset101_Face"
BUNDLED, SCRATCH = "bundled", "scratch"
# By whether the training starts from a model.
EPOCHS = {True: 30, False: 110}
SPACING_MM = 3.0
# Fewer variants are written faster by one process, since each imports torch first.
WORTH_TWO_PROCESSES = 20
PARTS = ("raw", "preprocessed", "results")
EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Plan:
    """The settings of a training.

    ``start`` 'bundled', 'scratch', or a model's name or folder; ``epochs`` None: 30, or 110 from scratch; ``held_out``
    names of heads, or None for every ``hold_out_every``-th head; ``spacing`` (mm) is for scratch only; ``hard`` that many
    training heads, those on which the start is worst, get twice the ``variants``.
    """

    start: str = BUNDLED
    epochs: int | None = None
    iterations: int = 50
    held_out: tuple[str, ...] | None = None
    hold_out_every: int = 5
    variants: int = 7
    spacing: float = SPACING_MM
    seed: int = 1
    device: str = "cpu"
    hard: int = 0
    learning_rate: float | None = None


def train_model(
    data: str | Path,
    destination: str | Path,
    plan: Plan = Plan(),
    work: str | Path | None = None,
    resume: bool = False,
    log: TextIO | None = None,
    told: Callable[[AnnotatedHead, dict[str, float]], None] = lambda head, scores: None,
) -> dict[str, Any]:
    """Train on the heads of ``data`` and write a model folder; returns the evaluation as a dict.

    Parameters: ``work`` folder of nnU-Net's files, which show faces (None: "<destination>-work", removed at the end);
    ``resume`` continues a training that was stopped there; ``log`` stream for what nnU-Net prints; ``told(head, scores)``
    is called for each head held back.
    Raises: InputError, OutputError, ModelError.
    """
    destination = Path(destination)
    folder = destination.with_name(destination.name + "-work") if work is None else Path(work)
    _refuse(destination, folder, resume)
    training, held = _split(data, plan)
    base = _base(plan)
    _point_nnunet_to(folder)
    with redirect_stdout(log):
        with private_umask():
            trained = _trained(folder, training, held, plan, base, resume)
        evaluation = _packaged(trained, destination, plan, base, training, held, told)
    if work is None:
        for part in PARTS:
            shutil.rmtree(folder / part)
        folder.rmdir()
    return evaluation


def _refuse(destination: Path, work: Path, resume: bool) -> None:
    if destination.exists():
        raise OutputError(f"{destination}: exists already; choose another folder for the model.")
    if not resume and any((work / part).exists() for part in PARTS):
        raise OutputError(f"{work}: holds a training that was not finished; continue it with --resume, or remove it.")


def _split(data: str | Path, plan: Plan) -> tuple[list[AnnotatedHead], list[AnnotatedHead]]:
    """(heads to train with, heads held back). Raises: InputError."""
    from .dataset import find_heads, split_cases

    heads = find_heads(data)
    held: Sequence[str] | None = plan.held_out
    if held is None:
        held = split_cases([head.name for head in heads], plan.hold_out_every)[1]
        if plan.hold_out_every and not held:
            raise InputError(
                f"{data}: holds too few heads ({len(heads)}) to hold every {plan.hold_out_every}th back; collect more, "
                "or name those that are held back, or 0 to hold back none, and then nothing is known about the model."
            )
    unknown = set(held) - {head.name for head in heads}
    if unknown:
        raise InputError(f"{', '.join(sorted(unknown))}: no such head to hold back in {data}.")
    if len(held) == len(heads):
        raise InputError(f"{data}: all {len(heads)} heads would be held back; leave some to train with.")
    return [head for head in heads if head.name not in held], [head for head in heads if head.name in held]


def _base(plan: Plan) -> LoadedModel | None:
    """The verified model to start from, None from scratch. Raises: ModelError."""
    if plan.start == SCRATCH:
        return None
    from ..models.loader import verify_model
    from ..models.store import find_model

    return verify_model(find_model(None if plan.start == BUNDLED else plan.start))


def _point_nnunet_to(work: Path) -> None:
    """Set nnU-Net's environment variables, which it reads once, on import."""
    for part in PARTS:
        private_folder(work / part, work)
        os.environ["nnUNet_" + part] = str(work / part)
    os.environ.setdefault("nnUNet_n_proc_DA", "1")
    os.environ.setdefault("nnUNet_compile", "f")


def _trained(
    work: Path,
    training: Sequence[AnnotatedHead],
    held: Sequence[AnnotatedHead],
    plan: Plan,
    base: LoadedModel | None,
    resume: bool,
) -> Path:
    """Prepare and train; returns nnU-Net's folder of the trained model."""
    from . import trainer
    from .dataset import write_raw_dataset

    folder = work / "preprocessed" / DATASET_NAME
    plans = folder / (trainer.PLANS_NAME + ".json")
    ready = folder / "ready"
    if not (resume and ready.exists()):
        spacing = trainer.variant_spacing(base.info) if base else plan.spacing
        hard = _hard(training, base, plan)
        variants = {head.name: plan.variants * (2 if head in hard else 1) for head in training}
        processes = 2 if sum(variants.values()) >= WORTH_TWO_PROCESSES else 1
        write_raw_dataset(training, held, work / "raw" / DATASET_NAME, spacing, variants, plan.seed, processes)
        trainer.plan(DATASET_ID, spacing, plans, base, processes)
        ready.touch()
    epochs = plan.epochs or EPOCHS[base is not None]
    dataset = json.loads((folder / "dataset.json").read_text())
    return trainer.train(
        json.loads(plans.read_text()),
        dataset,
        epochs,
        plan.iterations,
        plan.seed,
        resume,
        base,
        plan.device,
        plan.learning_rate,
    ).parent


def _hard(training: Sequence[AnnotatedHead], base: LoadedModel | None, plan: Plan) -> list[AnnotatedHead]:
    """The ``plan.hard`` heads on which the model to continue from has the lowest Dice."""
    from .trained_model import evaluate

    if not (plan.hard and base):
        return []
    scores = evaluate({"before": str(base.info.folder)}, training, plan.device)
    hard = sorted(training, key=lambda head: scores[head.name]["before"])[: plan.hard]
    print("Hard heads, Dice before:", ", ".join(f"{head.name} {scores[head.name]['before']:.3f}" for head in hard))
    return hard


def _packaged(
    trained: Path,
    destination: Path,
    plan: Plan,
    base: LoadedModel | None,
    training: Sequence[AnnotatedHead],
    held: Sequence[AnnotatedHead],
    told: Callable[[AnnotatedHead, dict[str, float]], None],
) -> dict[str, Any]:
    """Write the model folder with its evaluation, give it its name in one step, and return the evaluation."""
    from .trained_model import evaluate, package_model, summarised

    partial = destination.with_name(f".{destination.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    package_model(trained, partial)
    models = ({"before": str(base.info.folder)} if base else {}) | {"trained": str(partial)}
    scores = evaluate(models, held, plan.device, told)
    evaluation = {
        "from": base.info.name if base else SCRATCH,
        "heads": len(training),
        "dice": summarised(scores),
        "cases": scores,
    }
    (partial / EVALUATION).write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
    destination.parent.mkdir(parents=True, exist_ok=True)
    os.rename(partial, destination)
    return evaluation
