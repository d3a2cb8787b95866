"""nnU-Net planning and training with a small network; import only after the nnUNet_* folders are set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from ..errors import ModelError
from ..models.folder import ModelInfo, read_json, resolve_configuration
from ..models.loader import LoadedModel
from ..network.inference import resolve_device
from ..network.sliding_window import half_precision

CONFIGURATION = "3d_fullres"
PLANS_NAME = "nnUNetPlans"
# One patch of 80 voxels at 3 mm holds a whole head; two CPU cores can train a network of these sizes.
NETWORK = {
    "features_per_stage": [16, 32, 64, 128, 128],
    "strides": [[1, 1, 1]] + [[2, 2, 2]] * 4,
    "kernel_sizes": [[3, 3, 3]] * 5,
    "n_stages": 5,
    "n_conv_per_stage": [1, 2, 2, 2, 2],
    "n_conv_per_stage_decoder": [1, 1, 1, 1],
}
PATCH_SIZE = [80, 80, 80]
LEARNING_RATE = 1e-3
# For a network that knows faces already.
FINE_TUNING_RATE = 2e-4
CPU = torch.device("cpu")


class FaceTrainer(nnUNetTrainer):
    """Stock trainer, shortened for a CPU: AdamW, few epochs, left-right mirroring only, bfloat16 where the CPU
    multiplies in it.

    The network, loss, data loading, augmentation and checkpoint format are nnU-Net's own, so that
    the packaged checkpoint names the stock ``nnUNetTrainer``.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = CPU,
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.weight_decay = 1e-3
        self.num_val_iterations_per_epoch = 4
        self.save_every = 1

    def initialize(self) -> None:
        super().initialize()
        # A quarter less time per iteration on a CPU; the checkpoint is the same.
        self.network.to(memory_format=torch.channels_last_3d)
        if self.device.type == "cpu":
            self.network.forward = half_precision(self.device)(self.network.forward)

    def _build_loss(self) -> Callable[[list[torch.Tensor], list[torch.Tensor]], torch.Tensor]:
        loss = super()._build_loss()
        # Sums over a patch need more digits than bfloat16 has.
        return lambda outputs, target: loss([output.float() for output in outputs], target)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, PolyLRScheduler]:
        optimizer = torch.optim.AdamW(self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    # nnU-Net's name, which is overridden.
    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, ...]:  # noqa: N802
        rotation, dummy, initial, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = (2,)
        return rotation, dummy, initial, (2,)

    def plot_network_architecture(self) -> None:
        """Draw nothing: nnU-Net's own needs a drawing package that training does not."""


def variant_spacing(info: ModelInfo) -> float:
    """Isotropic spacing in mm of the variants for a model: their voxels are as large as the model's."""
    return float(np.prod(info.spacing) ** (1 / 3))


def plan(dataset_id: int, spacing: float, plans_path: Path, base: LoadedModel | None = None, processes: int = 2) -> None:
    """Make nnU-Net's fingerprint and plan at ``spacing`` mm isotropic, with the small network or that of ``base``.

    Parameters: ``base`` the model to continue from. Only what it was verified for is taken from its plan.
    Raises: ModelError.
    """
    extract_fingerprints([dataset_id], num_processes=processes, check_dataset_integrity=False)
    plan_experiments([dataset_id], "ExperimentPlanner", gpu_memory_target_in_gb=2, overwrite_target_spacing=(spacing,) * 3)
    plans = json.loads(plans_path.read_text())
    configuration = plans["configurations"][CONFIGURATION]
    configuration["batch_size"] = 2
    if base is None:
        configuration["patch_size"] = PATCH_SIZE
        configuration["architecture"]["arch_kwargs"].update(NETWORK)
    else:
        _enter_base(plans, configuration, base)
    plans["configurations"] = {CONFIGURATION: configuration}
    plans_path.write_text(json.dumps(plans, indent=2))
    preprocess([dataset_id], PLANS_NAME, configurations=(CONFIGURATION,), num_processes=(processes,))


def _enter_base(plans: dict[str, Any], configuration: dict[str, Any], base: LoadedModel) -> None:
    """Enter grid, normalization and network of the model to continue from."""
    info = base.info
    theirs = read_json(info.folder / "plans.json")
    settings = resolve_configuration(theirs, base.configuration)
    if "architecture" not in settings or info.has_regions or info.num_classes != 2:
        raise ModelError(
            f"{info.name}: was made by an early nnU-Net v2, or for other labels than one face, and cannot "
            "be trained further here; begin with another model, or from scratch."
        )
    configuration.update(patch_size=list(info.patch_size), spacing=list(info.spacing), architecture=settings["architecture"])
    plans.update(transpose_forward=list(info.transpose_forward), transpose_backward=list(info.transpose_backward))
    intensities = plans["foreground_intensity_properties_per_channel"]["0"]
    intensities.update(percentile_00_5=info.clip_low, percentile_99_5=info.clip_high, mean=info.mean, std=info.std)


def train(
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    epochs: int,
    iterations: int,
    seed: int,
    resume: bool,
    base: LoadedModel | None = None,
    device: str = "cpu",
    learning_rate: float | None = None,
) -> Path:
    """Train fold 'all' for ``epochs`` of ``iterations`` each; returns the folder of the checkpoints.

    A checkpoint is written after every epoch; ``resume`` continues the latest, and may change ``epochs``
    (the learning rate falls to zero over all of them). ``base``: the training begins with its weights.
    ``learning_rate`` None: 2e-4 from ``base``, else 1e-3.
    """
    torch.manual_seed(seed)
    trainer = FaceTrainer({**plans, "continue_training": resume}, CONFIGURATION, "all", dataset_json, resolve_device(device))
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = iterations
    trainer.initial_lr = learning_rate or (LEARNING_RATE if base is None else FINE_TUNING_RATE)
    trainer.initialize()
    folder = Path(trainer.output_folder)
    # A finished run has only the final one; more epochs continue it.
    found = [folder / name for name in ("checkpoint_latest.pth", "checkpoint_final.pth") if (folder / name).is_file()]
    if resume and found:
        trainer.load_checkpoint(str(found[0]))
    elif base is not None:
        trainer.network.load_state_dict(base.parameters[0])
    trainer.run_training()
    return folder
