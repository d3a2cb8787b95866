"""Command line of the training: prepare, train, package."""

import argparse
import json
import os
from pathlib import Path

DATASET_ID = 101
DATASET_NAME = "Dataset101_Face"


def _folders(work):
    """Point nnU-Net to sub-folders of ``work``; it reads these variables once, on import."""
    for key in ("raw", "preprocessed", "results"):
        folder = Path(work) / key
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["nnUNet_" + key] = str(folder)
    os.environ.setdefault("nnUNet_n_proc_DA", "1")
    os.environ.setdefault("nnUNet_compile", "f")
    return Path(work)


def prepare(args):
    from .dataset import write_raw_dataset

    work = _folders(args.work)
    training, held = write_raw_dataset(args.data, work / "raw" / DATASET_NAME, args.spacing,
                                       args.variants, args.hold_out_every, args.seed)
    from .trainer import PLANS_NAME, plan

    plan(DATASET_ID, args.spacing, work / "preprocessed" / DATASET_NAME / (PLANS_NAME + ".json"))
    print(f"{len(training)} heads for training, {len(held)} held out: {' '.join(held)}")


def train(args):
    work = _folders(args.work)
    from . import trainer

    folder = work / "preprocessed" / DATASET_NAME
    plans = json.loads((folder / (trainer.PLANS_NAME + ".json")).read_text())
    dataset = json.loads((folder / "dataset.json").read_text())
    print(trainer.train(plans, dataset, args.epochs, args.iterations, args.seed, args.resume))


def package(args):
    work = _folders(args.work)
    from .package import package_model
    from .trainer import CONFIGURATION, PLANS_NAME, FaceTrainer

    trained = f"{FaceTrainer.__name__}__{PLANS_NAME}__{CONFIGURATION}"
    print(package_model(work / "results" / DATASET_NAME / trained, args.destination))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m CTADefaceLib.training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("prepare", help="write variants of every head, plan and preprocess")
    sub.add_argument("data", type=Path, help="folder of <case>_image.nii.gz and <case>_mask.nii.gz")
    sub.add_argument("work", type=Path)
    sub.add_argument("--spacing", type=float, default=4.0, help="mm, isotropic")
    sub.add_argument("--variants", type=int, default=7, help="per head, the first one plain")
    sub.add_argument("--hold-out-every", type=int, default=11, help="hold every n-th head out; 0: none")
    sub.add_argument("--seed", type=int, default=1)
    sub.set_defaults(run=prepare)
    sub = commands.add_parser("train", help="train, or continue with --resume")
    sub.add_argument("work", type=Path)
    sub.add_argument("--epochs", type=int, default=60, help="a checkpoint is written after each")
    sub.add_argument("--iterations", type=int, default=50, help="per epoch")
    sub.add_argument("--seed", type=int, default=1)
    sub.add_argument("--resume", action="store_true")
    sub.set_defaults(run=train)
    sub = commands.add_parser("package", help="write the model folder from the newest checkpoint")
    sub.add_argument("work", type=Path)
    sub.add_argument("destination", type=Path)
    sub.set_defaults(run=package)
    args = parser.parse_args(argv)
    args.run(args)


if __name__ == "__main__":
    main()
