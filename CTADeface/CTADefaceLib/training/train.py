"""A folder of annotated heads to a model folder: prepare, train, measure, package."""

import json
import os
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, OutputError
from ..files.private import private_folder, private_umask

DATASET_ID = 101
DATASET_NAME = "Dataset101_Face"
BUNDLED, SCRATCH = "bundled", "scratch"
EPOCHS = {True: 30, False: 110}
SPACING_MM = 3.0
# Each process imports torch first.
WORTH_TWO_PROCESSES = 20
PARTS = ("raw", "preprocessed", "results")
EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Plan:
    """What a training is. ``start`` 'bundled', 'scratch', or a model's name or folder; ``epochs`` None: 30, or 110 from
    scratch; ``held_out`` names, or None for every ``hold_out_every``-th head; ``spacing`` (mm) is for scratch only;
    ``hard`` how many training heads, those where the start is worst, get twice the ``variants``.
    """

    start: str = BUNDLED
    epochs: int | None = None
    iterations: int = 50
    held_out: tuple | None = None
    hold_out_every: int = 5
    variants: int = 7
    spacing: float = SPACING_MM
    seed: int = 1
    device: str = "cpu"
    hard: int = 0
    learning_rate: float | None = None


def train_model(data, destination, plan=Plan(), work=None, resume=False, log=None, told=lambda head, scores: None):
    """Train on the heads of ``data`` and write a model folder; returns the evaluation as a dict.

    Parameters: ``work`` folder of nnU-Net's files, which show faces (None: "<destination>-work", removed at the end);
    ``resume`` continues a training that was stopped in there; ``log`` stream for what nnU-Net prints.
    Raises: InputError, OutputError, ModelError.
    """
    destination, own = Path(destination), work is None
    work = destination.with_name(destination.name + "-work") if own else Path(work)
    _refuse(destination, work, resume)
    training, held = _split(data, plan)
    base = _base(plan)
    _point_nnunet_to(work)
    with redirect_stdout(log):
        with private_umask():
            trained = _trained(work, training, held, plan, base, resume)
        evaluation = _packaged(trained, destination, plan, base, training, held, told)
    if own:
        for part in PARTS:
            shutil.rmtree(work / part)
        work.rmdir()
    return evaluation


def _refuse(destination, work, resume):
    if destination.exists():
        raise OutputError(f"{destination}: exists already; choose another folder for the model.")
    if not resume and any((work / part).exists() for part in PARTS):
        raise OutputError(f"{work}: holds a training that was not finished; continue it with --resume, or remove it.")


def _split(data, plan):
    """(heads to train with, heads held back). Raises: InputError."""
    from .dataset import find_heads, split_cases

    heads = find_heads(data)
    held = plan.held_out
    if held is None:
        held = split_cases([head.name for head in heads], plan.hold_out_every)[1]
    unknown = set(held) - {head.name for head in heads}
    if unknown:
        raise InputError(f"{', '.join(sorted(unknown))}: no such head to hold back in {data}.")
    if len(held) == len(heads):
        raise InputError(f"{data}: all {len(heads)} heads would be held back; leave some to train with.")
    return [head for head in heads if head.name not in held], [head for head in heads if head.name in held]


def _base(plan):
    """The verified model to start from, None from scratch. Raises: ModelError."""
    if plan.start == SCRATCH:
        return None
    from ..models.loader import verify_model
    from ..models.store import find_model

    return verify_model(find_model(None if plan.start == BUNDLED else plan.start))


def _point_nnunet_to(work):
    """nnU-Net reads these variables once, on import."""
    for part in PARTS:
        private_folder(work / part, work)
        os.environ["nnUNet_" + part] = str(work / part)
    os.environ.setdefault("nnUNet_n_proc_DA", "1")
    os.environ.setdefault("nnUNet_compile", "f")


def _trained(work, training, held, plan, base, resume):
    """nnU-Net's folder of the trained model."""
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
    return trainer.train(json.loads(plans.read_text()), dataset, epochs, plan.iterations, plan.seed, resume, base,
                         plan.device, plan.learning_rate).parent


def _hard(training, base, plan):
    """The ``plan.hard`` heads where the model to continue from has the lowest Dice."""
    from .trained_model import evaluate

    if not (plan.hard and base):
        return []
    scores = evaluate({"before": str(base.info.folder)}, training, plan.device)
    hard = sorted(training, key=lambda head: scores[head.name]["before"])[:plan.hard]
    print("Hard heads, Dice before:", ", ".join(f"{head.name} {scores[head.name]['before']:.3f}" for head in hard))
    return hard


def _packaged(trained, destination, plan, base, training, held, told):
    """Write the model folder, measured, under its name in one step; returns the evaluation."""
    from .trained_model import evaluate, package_model, summarised

    partial = destination.with_name(f".{destination.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    package_model(trained, partial)
    models = ({"before": str(base.info.folder)} if base else {}) | {"trained": str(partial)}
    scores = evaluate(models, held, plan.device, told)
    evaluation = {"from": base.info.name if base else SCRATCH, "heads": len(training),
                  "dice": summarised(scores), "cases": scores}
    (partial / EVALUATION).write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
    destination.parent.mkdir(parents=True, exist_ok=True)
    os.rename(partial, destination)
    return evaluation
