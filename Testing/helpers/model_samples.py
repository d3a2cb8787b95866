"""Genuine small nnU-Net v2 models for the tests.

The network is built by nnU-Net itself, and the checkpoint has the structure that nnUNetTrainer.save_checkpoint writes.
"""

import copy
import json
import warnings
import zipfile

import numpy as np
import pytest
import torch

from CTADefaceLib.errors import ModelError
from CTADefaceLib.models import store

TRAINER = "nnUNetTrainer__nnUNetPlans__3d_fullres"
TREE = f"Dataset001_DEFACE/{TRAINER}"
CHECKPOINT = "fold_all/checkpoint_final.pth"
LIBRARY = "dynamic_network_architectures.architectures.unet."
SHARED = {
    "patch_size": [8, 8, 16],
    "spacing": [4.0, 2.0, 1.0],
    "normalization_schemes": ["CTNormalization"],
    "use_mask_for_norm": [False],
}
LAYERS = {
    "n_stages": 2,
    "features_per_stage": [4, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 2,
    "strides": [[1, 1, 1], [1, 2, 2]],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
IMPORTED = ["conv_op", "norm_op", "dropout_op", "nonlin"]
CONFIGURATIONS = {
    "new": {
        **SHARED,
        "architecture": {
            "network_class_name": LIBRARY + "PlainConvUNet",
            "_kw_requires_import": IMPORTED,
            "arch_kwargs": {**LAYERS, "n_conv_per_stage": [1, 2]},
        },
    },
    "residual": {
        **SHARED,
        "architecture": {
            "network_class_name": LIBRARY + "ResidualEncoderUNet",
            "_kw_requires_import": IMPORTED,
            "arch_kwargs": {**LAYERS, "n_blocks_per_stage": [1, 2]},
        },
    },
    "old": {
        **SHARED,
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [1, 2],
        "n_conv_per_stage_decoder": [1],
        "num_pool_per_axis": [0, 1, 1],
        "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2]],
        "conv_kernel_sizes": [[3, 3, 3]] * 2,
    },
}
DATASET = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "face": 1}, "numTraining": 1, "file_ending": ".nii.gz"}


def nnunet_network(configuration):
    """The network as nnU-Net builds it from a configuration of a plan."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected old nnU-Net plans")
        manager = ConfigurationManager(copy.deepcopy(configuration))
    return get_network_from_plans(
        manager.network_arch_class_name,
        manager.network_arch_init_kwargs,
        manager.network_arch_init_kwargs_req_import,
        1,
        2,
        deep_supervision=True,
    )


def write_json(path, content):
    path.write_text(json.dumps(content))


def write_model(trainer_folder, style="new", fold="fold_all", seed=0):
    torch.manual_seed(seed)
    configuration = CONFIGURATIONS[style]
    intensities = {"percentile_00_5": -900.0, "percentile_99_5": 500.0, "mean": -50.0, "std": 200.0}
    plans = {
        "dataset_name": "Dataset001_DEFACE",
        "plans_name": "nnUNetPlans",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "foreground_intensity_properties_per_channel": {"0": intensities},
    }
    (trainer_folder / fold).mkdir(parents=True)
    write_json(trainer_folder / "plans.json", plans)
    write_json(trainer_folder / "dataset.json", DATASET)
    (trainer_folder / "LICENSE.txt").write_text("free")
    (trainer_folder / "progress.png").write_bytes(b"not needed")
    network = nnunet_network(configuration)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    torch.save(
        {
            "network_weights": network.state_dict(),
            "optimizer_state": optimizer.state_dict(),
            "grad_scaler_state": None,
            "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(-0.25)], "epochs": [np.int64(3)]},
            "_best_ema": np.float64(0.5),
            "current_epoch": 1,
            "trainer_name": "nnUNetTrainer",
            "init_args": {
                "plans": plans,
                "configuration": "3d_fullres",
                "fold": "all",
                "dataset_json": DATASET,
                "device": torch.device("cpu"),
            },
            "inference_allowed_mirroring_axes": (0, 1, 2),
        },
        trainer_folder / fold / "checkpoint_final.pth",
    )
    return trainer_folder


def edit_json(path, *keys, value):
    """Set (or, with value None, delete) the entry ``keys`` of a JSON file."""
    content = json.loads(path.read_text())
    *outer, last = keys
    inner = content
    for key in outer:
        inner = inner[key]
    inner[last] = value
    if value is None:
        del inner[last]
    write_json(path, content)


def edit_checkpoint(path, change):
    content = torch.load(path, weights_only=False)
    change(content)
    torch.save(content, path)


def zip_folder(folder_path, archive, prefix=""):
    """Add a folder to a .zip, below ``prefix``."""
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as output:
        for path in sorted(folder_path.rglob("*")):
            output.write(path, prefix + path.relative_to(folder_path).as_posix())
    return archive


def assert_refused(path, message, **arguments):
    """Installing must fail with ``message`` in one sentence and leave nothing behind."""
    with pytest.raises(ModelError, match=message) as caught:
        store.install_model(path, **arguments)
    assert len(str(caught.value).splitlines()) == 1
    assert list(store.user_folder().iterdir()) == []
