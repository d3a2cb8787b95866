"""The shell commands ``cta-deface train add`` and ``cta-deface train run``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..network.model_run import DEVICES
from .engine_options import DEVICE_HELP
from .wheel_only import require_room

if TYPE_CHECKING:
    from ..training.dataset import AnnotatedHead


def add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="corrected masks to training cases, training cases to a model")
    parts = train.add_subparsers(required=True)
    _add_add(parts)
    _add_run(parts)


def _add_add(parts: argparse._SubParsersAction) -> None:
    add = parts.add_parser("add", help="add a scan and its corrected mask to a training set")
    add.add_argument("image", metavar="IMAGE", help="head CT in HU")
    add.add_argument("mask", metavar="MASK", help="its face mask, on the same grid")
    add.add_argument(
        "--to",
        required=True,
        metavar="FOLDER",
        help="nnU-Net raw dataset, made if need be: it shows faces, for the hospital only",
    )
    add.add_argument("--overwrite", action="store_true", help="replace the mask of a scan that is there already")
    add.set_defaults(action=train_add_command)


def _add_run(parts: argparse._SubParsersAction) -> None:
    run = parts.add_parser("run", help="train on a folder of annotated heads and write a model folder")
    run.add_argument("data", metavar="FOLDER", help="nnU-Net raw dataset, or <case>_image and <case>_mask.nii.gz")
    run.add_argument("-o", "--output", required=True, metavar="MODELFOLDER", help="for --model and 'models install'")
    run.add_argument(
        "--from",
        dest="start",
        default="bundled",
        metavar="bundled|MODEL|scratch",
        help="the model to continue from (default: bundled), or a new one",
    )
    run.add_argument("--epochs", type=int, help="default 30, from scratch 110; a checkpoint is written after each")
    run.add_argument("--iterations", type=int, default=50, help="batches of 2 per epoch (default 50)")
    run.add_argument("--held-out", nargs="+", metavar="CASE", help="heads to measure on, never trained with")
    run.add_argument(
        "--hold-out-every", type=int, default=5, metavar="N", help="without --held-out: every N-th head (default 5; 0: none)"
    )
    run.add_argument("--variants", type=int, default=7, help="synthetic ones per head, the first plain (default 7)")
    run.add_argument(
        "--hard",
        type=int,
        default=0,
        metavar="N",
        help="twice the variants for the N training heads where the model to continue from is worst",
    )
    run.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="at the start; falls to zero (default 0.0002, from scratch 0.001)"
    )
    run.add_argument("--spacing", type=float, default=3.0, help="mm, from scratch only (default 3)")
    run.add_argument("--device", choices=DEVICES, default="cpu", help=DEVICE_HELP)
    run.add_argument("--seed", type=int, default=1, metavar="N", help="of all random choices (default 1)")
    run.add_argument(
        "--work",
        metavar="DIR",
        help="keep nnU-Net's files here; they show faces (default: <MODELFOLDER>-work, removed at the end)",
    )
    run.add_argument("--resume", action="store_true", help="continue a training that was stopped")
    run.set_defaults(action=train_run_command)


def train_add_command(args: argparse.Namespace) -> int:
    from ..training.collect import add_case

    name = add_case(args.image, args.mask, args.to, args.overwrite)
    print(f"{name}: added to {args.to}; its image shows the face, not for release")
    return 0


def train_run_command(args: argparse.Namespace) -> int:
    """Print the Dice of every head held back; the output of nnU-Net goes to stderr."""
    require_room("training.train", "train run")
    from ..training.train import Plan, train_model

    plan = Plan(
        args.start,
        args.epochs,
        args.iterations,
        args.held_out and tuple(args.held_out),
        args.hold_out_every,
        args.variants,
        args.spacing,
        args.seed,
        args.device,
        args.hard,
        args.learning_rate,
    )
    out = sys.stdout

    def tell(head: AnnotatedHead, scores: dict[str, float]) -> None:
        said = "   ".join(f"{label} {dice:.3f}" for label, dice in scores.items())
        print(f"{head.name:<24}Dice {said}", file=out, flush=True)

    evaluation = train_model(args.data, args.output, plan, args.work, args.resume, sys.stderr, tell)
    for line in report(evaluation):
        print(line)
    print(f"Model: {args.output}")
    return 0


def report(evaluation: dict) -> Iterator[str]:
    """Lines of text: mean and worst Dice, and what they mean."""
    dice = evaluation["dice"]
    if not dice:
        yield "No head was held back: nothing is known about this model yet; measure it before use."
        return
    for label, figures in dice.items():
        yield (
            f"{label:<8}mean Dice {figures['mean']:.4f}, worst {figures['worst']:.4f} on {figures['cases']} heads held back"
        )
    if "before" in dice and any(dice["trained"][key] < dice["before"][key] for key in ("mean", "worst")):
        yield "The model you began with is better in mean or worst Dice: keep it, or add cases and train longer."
