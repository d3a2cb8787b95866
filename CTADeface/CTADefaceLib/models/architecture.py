"""Builds the torch module that a plan describes, from a short list of classes.

nnU-Net imports any class that a plan names. Here a plan can choose only among the names below, so that a plan from
elsewhere cannot make the program call anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingPackages, ModelError, first_line
from .folder import ModelInfo, read_json, resolve_configuration
from .schema import JsonObject, check_network

if TYPE_CHECKING:
    import torch

_UNETS = "dynamic_network_architectures.architectures.unet"
# {name in a plan: class in dynamic_network_architectures}; older versions of that package use the last name.
NETWORKS = {
    f"{_UNETS}.PlainConvUNet": "PlainConvUNet",
    f"{_UNETS}.ResidualEncoderUNet": "ResidualEncoderUNet",
    "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet": "ResidualEncoderUNet",
}
# {constructor argument: names that a plan may give for it}; the last part of a name is the class in torch.nn.
LAYERS = {
    "conv_op": {"torch.nn.Conv3d", "torch.nn.modules.conv.Conv3d"},
    "norm_op": {
        "torch.nn.InstanceNorm3d",
        "torch.nn.modules.instancenorm.InstanceNorm3d",
        "torch.nn.BatchNorm3d",
        "torch.nn.modules.batchnorm.BatchNorm3d",
    },
    "dropout_op": {"torch.nn.Dropout3d", "torch.nn.modules.dropout.Dropout3d"},
    "nonlin": {
        "torch.nn.LeakyReLU",
        "torch.nn.modules.activation.LeakyReLU",
        "torch.nn.ReLU",
        "torch.nn.modules.activation.ReLU",
    },
}
# Far above what nnU-Net plans (512 features); it keeps a broken plan from filling the memory.
LARGEST_NUMBER = 4096


def build_network(info: ModelInfo, configuration: str, device: str = "cpu") -> torch.nn.Module:
    """The untrained network of a plan, in eval mode and without deep supervision.

    Maps (n, 1, z, y, x) to (n, ``info.num_classes``, z, y, x) logits. Raises ModelError for a plan that names other
    classes than those listed in this module or whose numbers do not fit together, MissingPackages.
    """
    class_name, arguments = _read_architecture(_settings(info, configuration))
    try:
        import torch
        from dynamic_network_architectures.architectures import unet
    except (ImportError, OSError) as error:
        raise MissingPackages(
            f"The network's package is missing or broken ({first_line(error)}); install the Python packages of CTADeface."
        ) from error
    for key in LAYERS:
        if arguments.get(key) is not None:
            arguments[key] = getattr(torch.nn, arguments[key].rpartition(".")[2])
    if arguments.get("norm_op") is torch.nn.InstanceNorm3d:
        arguments["norm_op"] = _quick_instance_norm()
    arguments["deep_supervision"] = False
    try:
        with torch.device(device):
            network = getattr(unet, class_name)(input_channels=1, num_classes=info.num_classes, **arguments)
    # The constructors check their arguments with assert, indexing and arithmetic: any exception means a bad plan.
    except Exception as error:
        raise ModelError(
            f"The network in plans.json cannot be built ({first_line(error)}); use the plans.json that "
            "belongs to this checkpoint."
        ) from error
    return network.eval()


def _quick_instance_norm() -> type[torch.nn.Module]:
    """``torch.nn.InstanceNorm3d``, on a CPU computed as a group norm of one channel per group, channels last.

    The result is the same except for float32 rounding. torch's own copies every map once more, and each convolution copies
    maps that are not in its order: together a quarter of the network's time.
    """
    import torch

    class InstanceNorm(torch.nn.InstanceNorm3d):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            if maps.device.type != "cpu":
                return super().forward(maps)
            maps = maps.contiguous(memory_format=torch.channels_last_3d)
            return torch.nn.functional.group_norm(maps, maps.shape[1], self.weight, self.bias, self.eps)

    return InstanceNorm


def smallest_patch(info: ModelInfo, configuration: str) -> tuple[int, ...]:
    """Shape (z, y, x) in voxels of the smallest input: two voxels per axis remain at the network's coarsest stage.

    Raises ModelError for strides that are none, or that do not divide the patch size.
    """
    _, arguments = _read_architecture(_settings(info, configuration))
    strides = arguments.get("strides")
    total = [1, 1, 1]
    for stride in strides if isinstance(strides, list) else [None]:
        stride = [stride] * 3 if isinstance(stride, int) else stride
        if not isinstance(stride, list) or len(stride) != 3 or not all(isinstance(n, int) and n > 0 for n in stride):
            raise ModelError(
                f"The strides in plans.json are {strides!r} instead of three whole numbers per stage; "
                "use the original plans.json."
            )
        total = [product * n for product, n in zip(total, stride)]
    if any(size % product for size, product in zip(info.patch_size, total)):
        raise ModelError(
            f"The patch size {info.patch_size} in plans.json is no multiple of the network's total "
            f"stride {tuple(total)}; use the original plans.json."
        )
    return tuple(2 * product for product in total)


def _settings(info: ModelInfo, configuration: str) -> JsonObject:
    return resolve_configuration(read_json(info.folder / "plans.json"), configuration)


def _read_architecture(settings: JsonObject) -> tuple[str, JsonObject]:
    """(class name in NETWORKS, constructor arguments with layers still as checked names) of a configuration."""
    architecture = settings.get("architecture")
    if architecture is None and "UNet_class_name" in settings:
        architecture = _from_flat_format(settings)
    if not isinstance(architecture, dict) or not isinstance(architecture.get("arch_kwargs"), dict):
        raise ModelError("plans.json describes no network ('architecture'); use the plans.json that nnU-Net wrote.")
    name = architecture.get("network_class_name")
    if not isinstance(name, str) or name not in NETWORKS:
        raise ModelError(
            f"plans.json asks for the network {name!r}, which is not allowed and may be unsafe; choose a "
            "model with a PlainConvUNet or ResidualEncoderUNet."
        )
    arguments = dict(architecture["arch_kwargs"])
    imported = architecture.get("_kw_requires_import", [])
    for key in imported if isinstance(imported, list) else [imported]:
        if key not in LAYERS:
            raise ModelError(
                f"plans.json wants {key!r} imported, which is not allowed and may be unsafe; choose a "
                "model with the standard layers of nnU-Net."
            )
    for key, allowed in LAYERS.items():
        value = arguments.get(key)
        if value is not None and (not isinstance(value, str) or value not in allowed):
            raise ModelError(
                f"plans.json asks for {value!r} as {key}, which is not allowed and may be unsafe; choose "
                "a model with the standard layers of nnU-Net."
            )
    _check_size(arguments)
    check_network(arguments)
    return NETWORKS[name], arguments


def _check_size(value: object) -> None:
    """Raise ModelError if a number anywhere in the arguments is out of all proportion."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_size(item)
    elif isinstance(value, (int, float)) and not abs(value) <= LARGEST_NUMBER:
        raise ModelError(
            f"The network in plans.json has the number {value}, far beyond what nnU-Net uses; use the original plans.json."
        )


def _from_flat_format(settings: JsonObject) -> JsonObject:
    """The architecture of a plan from before nnU-Net 2.3, translated as nnU-Net's ConfigurationManager does."""
    class_name = settings["UNet_class_name"]
    try:
        stages = len(settings["n_conv_per_stage_encoder"])
        base, largest = settings["UNet_base_num_features"], settings["unet_max_num_features"]
        depth = "n_conv_per_stage" if class_name == "PlainConvUNet" else "n_blocks_per_stage"
        arguments = {
            "n_stages": stages,
            "features_per_stage": [min(base * 2**stage, largest) for stage in range(stages)],
            "conv_op": "torch.nn.Conv3d",
            "kernel_sizes": settings["conv_kernel_sizes"],
            "strides": settings["pool_op_kernel_sizes"],
            depth: settings["n_conv_per_stage_encoder"],
            "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": "torch.nn.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }
    except (KeyError, TypeError) as error:
        raise ModelError(f"The network in plans.json is incomplete ({error}); use the original plans.json.") from error
    return {"network_class_name": f"{_UNETS}.{class_name}", "arch_kwargs": arguments}
