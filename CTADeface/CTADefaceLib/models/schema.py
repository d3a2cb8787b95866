"""What plans.json and dataset.json of a model may contain; a model may come from anywhere.

For plans.json the list is closed: nnU-Net 2.0 to 2.8 write the entries listed here and no others. dataset.json may have
other entries, because nnU-Net's own writer adds whatever it is given; nothing reads those.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ModelError

# An object read from a JSON file; its entries can be anything until they are checked.
JsonObject = dict[str, Any]
# (is a value allowed?, what it has to be, as text for a person).
Rule = tuple[Callable[[object], bool], str]

CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
DOTTED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,199}")
MOST_ITEMS = 1000
# Far above what nnU-Net plans for CT: 256 voxels per axis of a patch.
LARGEST_PATCH, LARGEST_PATCH_VOXELS = 1024, 2**27
# Below: finer than any scanner's grid. Above: a face would be a few voxels.
SPACING_MM = (0.2, 20.0)
LARGEST_HU = 1e5
# nnU-Net looks such a function up by its name in its own modules; this program resamples as the first one does.
RESAMPLING = ("resample_data_or_seg_to_shape", "resample_torch_fornnunet", "resample_torch_simple", "no_resampling_hack")


def check_model(plans: JsonObject, dataset: JsonObject, configuration: str, settings: JsonObject) -> None:
    """Raise ``ModelError``, naming the entry, for one that nnU-Net does not write or that is out of all proportion.

    Parameters: ``settings`` of the ``configuration`` in use, for which limits are closer than for the others.
    """
    _check("plans.json", plans, PLANS)
    for name, content in plans["configurations"].items():
        _check(f"{name!r} of plans.json", content, CONFIGURATION)
    _check(f"{configuration!r} of plans.json", settings, USED, closed=False)
    voxels = math.prod(settings["patch_size"])
    if voxels > LARGEST_PATCH_VOXELS:
        raise _refused(
            f"{configuration!r} of plans.json", "patch_size", settings["patch_size"], f"at most {LARGEST_PATCH_VOXELS} voxels"
        )
    for channel, values in _intensities(plans).items():
        _check(f"intensities of channel {channel} in plans.json", values, INTENSITIES)
    _check("dataset.json", dataset, DATASET, closed=False)


def check_network(arguments: JsonObject) -> None:
    """Raise ``ModelError`` for ``arguments`` of a network (a plan's arch_kwargs) that are out of all proportion."""
    _check("the network of plans.json", arguments, NETWORK, closed=False)


def _intensities(plans: JsonObject) -> JsonObject:
    return (
        plans.get("foreground_intensity_properties_per_channel")
        or plans.get("foreground_intensity_properties_by_modality")
        or {}
    )


def _check(where: str, content: JsonObject, rules: Mapping[str, Rule], closed: bool = True) -> None:
    for key, value in content.items():
        if key not in rules:
            if closed:
                raise ModelError(
                    f"{where} has the entry {str(key)[:60]!r}, which nnU-Net does not write; use the original plans.json."
                )
            continue
        allowed, text = rules[key]
        if not allowed(value):
            raise _refused(where, key, value, text)


def _refused(where: str, key: str, value: object, text: str) -> ModelError:
    return ModelError(f"{where} has {str(value)[:60]!r} as {key} instead of {text}; use the original file.")


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _number(low: float, high: float) -> Rule:
    return lambda value: _is_number(value, low, high), f"a number from {low:g} to {high:g}"


def _whole(low: float, high: float) -> Rule:
    def allowed(value: object) -> bool:
        return _is_number(value, low, high) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))

    return allowed, f"a whole number from {low} to {high}"


def _list(rule: Rule, least: int = 1, most: int = 3) -> Rule:
    allowed, text = rule
    return (
        lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(allowed, value)),
        f"{least if least == most else f'{least} to {most}'} times {text}",
    )


def _one_of(*names: str) -> Rule:
    return lambda value: value in names and isinstance(value, str), f"one of {', '.join(names)}"


def _matching(pattern: re.Pattern[str], text: str) -> Rule:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None, text


def _optional(rule: Rule) -> Rule:
    allowed, text = rule
    return lambda value: value is None or allowed(value), text


def _dict(rule: Rule) -> Rule:
    allowed, text = rule
    return (
        lambda value: (
            isinstance(value, dict)
            and len(value) <= MOST_ITEMS
            and all(map(SHORT[0], value))
            and all(map(allowed, value.values()))
        ),
        f"an object of at most {MOST_ITEMS} entries, each {text}",
    )


def _is_plain(value: object, depth: int = 0) -> bool:
    """Is it a number or a short text, or a list or an object of such, not deeply nested?"""
    if isinstance(value, dict):
        return all(isinstance(key, str) and DOTTED_NAME.fullmatch(key) for key in value) and _is_plain(
            list(value.values()), depth
        )
    if isinstance(value, list):
        return len(value) <= MOST_ITEMS and depth < 6 and all(_is_plain(item, depth + 1) for item in value)
    if isinstance(value, str):
        return len(value) <= 200
    return value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and abs(value) < 1e9)


SHORT: Rule = (lambda value: isinstance(value, str) and len(value) <= 200 and value.isprintable(), "a short text")
CLASS = _matching(CLASS_NAME, "the name of a class or function of nnU-Net")
FLAG: Rule = (lambda value: isinstance(value, bool), "true or false")
OBJECT: Rule = (lambda value: isinstance(value, dict), "an object")
ARGUMENTS: Rule = (lambda value: isinstance(value, dict) and _is_plain(value), "an object of plain values")
LABEL: Rule = (
    lambda value: all(map(_whole(0, MOST_ITEMS)[0], value if isinstance(value, list) else [value])),
    "a whole number or a list of them",
)
SIZES = _list(_number(0, 1e6))
BLOCKS = _list(_whole(1, 64), 0, 16)
KERNELS = _list(_list(_whole(1, 64)), most=16)

PLANS = {
    "dataset_name": SHORT,
    "plans_name": SHORT,
    "original_median_spacing_after_transp": SIZES,
    "original_median_shape_after_transp": SIZES,
    "image_reader_writer": CLASS,
    "transpose_forward": _list(_whole(0, 2)),
    "transpose_backward": _list(_whole(0, 2)),
    "configurations": _dict(OBJECT),
    "experiment_planner_used": CLASS,
    "label_manager": _one_of("LabelManager"),
    "foreground_intensity_properties_per_channel": _dict(OBJECT),
    "foreground_intensity_properties_by_modality": _dict(OBJECT),
}
# Entries of any configuration, including those that are not used, 2-D ones and those of other networks.
CONFIGURATION = {
    "inherits_from": SHORT,
    "previous_stage": SHORT,
    "next_stage": SHORT,
    "data_identifier": SHORT,
    "preprocessor_name": CLASS,
    "batch_size": _whole(1, 100_000),
    "patch_size": _list(_whole(1, 1e5)),
    "median_image_size_in_voxels": SIZES,
    "spacing": _list(_number(1e-6, 1e6)),
    "normalization_schemes": _list(CLASS, 1, MOST_ITEMS),
    "use_mask_for_norm": _list(FLAG, 1, MOST_ITEMS),
    "resampling_fn_data": CLASS,
    "resampling_fn_seg": CLASS,
    "resampling_fn_probabilities": CLASS,
    "resampling_fn_data_kwargs": ARGUMENTS,
    "resampling_fn_seg_kwargs": ARGUMENTS,
    "resampling_fn_probabilities_kwargs": ARGUMENTS,
    "architecture": ARGUMENTS,
    "batch_dice": FLAG,
    # Before nnU-Net 2.3.
    "UNet_class_name": CLASS,
    "UNet_base_num_features": _whole(1, 4096),
    "unet_max_num_features": _whole(1, 4096),
    "n_conv_per_stage_encoder": BLOCKS,
    "n_conv_per_stage_decoder": BLOCKS,
    "num_pool_per_axis": _list(_whole(0, 16)),
    "pool_op_kernel_sizes": KERNELS,
    "conv_kernel_sizes": KERNELS,
}
# Closer limits for the configuration in use.
USED = {
    "preprocessor_name": _one_of("DefaultPreprocessor"),
    "patch_size": _list(_whole(1, LARGEST_PATCH), 3),
    "spacing": _list(_number(*SPACING_MM), 3),
    "resampling_fn_data": _one_of(*RESAMPLING),
    "resampling_fn_seg": _one_of(*RESAMPLING),
    "resampling_fn_probabilities": _one_of(*RESAMPLING),
}
INTENSITIES = {
    name: _number(-LARGEST_HU, LARGEST_HU) for name in ("max", "mean", "median", "min", "percentile_00_5", "percentile_99_5")
} | {"std": _number(1e-3, LARGEST_HU)}
DATASET = {
    "channel_names": _dict(SHORT),
    "modality": _dict(SHORT),
    "labels": _dict(LABEL),
    "regions_class_order": _optional(_list(_whole(0, MOST_ITEMS), 0, MOST_ITEMS)),
    "numTraining": _whole(0, 1e9),
    "file_ending": SHORT,
    "overwrite_image_reader_writer": _optional(CLASS),
}
# Limits for the network in use.
NETWORK = {
    "n_stages": _whole(1, 16),
    "n_conv_per_stage": BLOCKS,
    "n_blocks_per_stage": BLOCKS,
    "n_conv_per_stage_decoder": BLOCKS,
    "kernel_sizes": KERNELS,
}
