"""Describes the model in an nnU-Net v2 trainer folder, from plans.json and dataset.json alone.

nnU-Net's own PlansManager is not used: it imports whatever class a plan names, and a plan may come from anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeGuard

from ..errors import ModelError
from .schema import JsonObject, check_model

CHECKPOINT_NAME = "checkpoint_final.pth"
DEFAULT_CONFIGURATION = "3d_fullres"
FOLD_PATTERN = re.compile(r"fold_(all|\d+)")
# The store writes it beside plans.json, because an installed folder no longer has the trainer folder's name.
INSTALL_RECORD = "installed.json"
JSON_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class ModelInfo:
    """One model; all fields after ``problem`` are meaningful only while ``problem`` is None.

    ``folder`` holds plans.json, dataset.json and the folds; ``origin`` is 'bundled', 'installed' or 'folder'.
    ``spacing`` (mm) and ``patch_size`` (voxels) are in the network's axis order: that of a (z, y, x) array after
    ``transpose(transpose_forward)``. A CT is clipped to ``clip_low``..``clip_high`` HU, then ``(hu - mean) / std``.
    ``num_classes`` is the number of output channels. Without regions the face is where the argmax over channels
    equals ``face_channel``; with regions it is where the sigmoid of ``face_channel`` exceeds 0.5.
    """

    name: str
    folder: Path
    origin: str
    problem: str | None = None
    configuration: str = ""
    spacing: tuple[float, ...] = ()
    patch_size: tuple[int, ...] = ()
    transpose_forward: tuple[int, ...] = (0, 1, 2)
    transpose_backward: tuple[int, ...] = (0, 1, 2)
    labels: JsonObject = field(default_factory=dict, hash=False)
    face_channel: int = 1
    has_regions: bool = False
    num_classes: int = 2
    clip_low: float = 0.0
    clip_high: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    folds: tuple[str, ...] = ()

    @property
    def spacing_zyx(self) -> tuple[float, ...]:
        """Spacing in mm of the untransposed (z, y, x) array."""
        return tuple(self.spacing[axis] for axis in self.transpose_backward)

    @property
    def checkpoints(self) -> list[Path]:
        """Paths of the checkpoint files in use, one per fold."""
        return [self.folder / fold / CHECKPOINT_NAME for fold in self.folds]


class _Labels(TypedDict):
    labels: JsonObject
    has_regions: bool
    num_classes: int
    face_channel: int


class _Intensities(TypedDict):
    clip_low: float
    clip_high: float
    mean: float
    std: float


def inspect_folder(folder: str | Path, name: str, origin: str, configuration: str | None = None) -> ModelInfo:
    """Describe the model in a trainer folder.

    Parameters: ``folder`` with plans.json, dataset.json and fold_*; ``configuration`` of the plan, by default the
    one recorded at installation, named by the folder (``trainer__plans__configuration``), or ``3d_fullres``.
    Returns: ModelInfo. Raises: ModelError when something is missing, corrupt or made for another task.
    """
    folder = Path(folder)
    plans = read_json(folder / "plans.json")
    dataset = read_json(folder / "dataset.json")
    folds = find_folds(folder)
    configuration = configuration or _choose_configuration(plans, folder)
    settings = resolve_configuration(plans, configuration)
    _require_ct(dataset, settings)
    forward, backward = _read_axes(plans)
    info = ModelInfo(
        name=name,
        folder=folder,
        origin=origin,
        configuration=configuration,
        folds=folds,
        spacing=_numbers(settings, "spacing", 3),
        patch_size=tuple(int(n) for n in _numbers(settings, "patch_size", 3)),
        transpose_forward=forward,
        transpose_backward=backward,
        **_read_labels(dataset),
        **_read_intensities(plans),
    )
    check_model(plans, dataset, configuration, settings)
    return info


def read_json(path: Path) -> JsonObject:
    """The object in a JSON file. Raises ModelError if the file is missing, too large or corrupt, or holds no object."""
    if not path.is_file():
        raise ModelError(
            f"{path.name} is missing in {path.parent}; choose the folder that nnU-Net wrote, "
            "with plans.json, dataset.json and fold_* in it."
        )
    try:
        if path.stat().st_size > JSON_LIMIT:
            raise ValueError("the file is too large")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
    # RecursionError: thousands of nested brackets.
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read ({error}); copy the model again from its source.") from error
    return content


def find_folds(folder: str | Path) -> tuple[str, ...]:
    """Names of the fold folders to use: fold_all alone when it has a final checkpoint, else every fold_N with one.

    Raises ModelError if there is none.
    """
    found = [path.parent.name for path in Path(folder).glob(f"fold_*/{CHECKPOINT_NAME}") if path.is_file()]
    folds = choose_folds(found)
    if not folds:
        raise ModelError(
            f"{folder} has no fold_all/{CHECKPOINT_NAME} (nor fold_0, fold_1, ...); finish the training "
            "or copy the model again with its checkpoint."
        )
    return folds


def choose_folds(names: Iterable[str]) -> tuple[str, ...]:
    """('fold_all',) when it is among ``names``, else all fold_N in numerical order; other names are dropped."""
    folds = {name for name in names if FOLD_PATTERN.fullmatch(name)}
    if "fold_all" in folds:
        return ("fold_all",)
    return tuple(sorted(folds, key=lambda name: (int(name[len("fold_") :]), name)))


def resolve_configuration(plans: JsonObject, name: str) -> JsonObject:
    """Settings of one configuration of a plan, with those that it inherits (``inherits_from``). Raises ModelError."""
    configurations = _section(plans, "configurations")
    chain: list[str] = []
    current: object = name
    while current is not None:
        if not isinstance(current, str) or not isinstance(configurations.get(current), dict):
            raise ModelError(
                f"plans.json has no configuration {current!r}, only {sorted(configurations)}; use the "
                "plans.json that belongs to this checkpoint."
            )
        if current in chain:
            raise ModelError(f"Configuration {current!r} in plans.json inherits from itself; use the original plans.json.")
        chain.append(current)
        current = configurations[current].get("inherits_from")
    settings: JsonObject = {}
    for inherited in reversed(chain):
        settings.update(configurations[inherited])
    return settings


def checksum(info: ModelInfo) -> str:
    """SHA-256 (hex) over the checkpoint files in use, in fold order; with one fold that of its file. Raises ModelError."""
    digest = hashlib.sha256()
    for path in info.checkpoints:
        try:
            with open(path, "rb") as stream:
                while block := stream.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror}); install the model again.") from error
    return digest.hexdigest()


def _choose_configuration(plans: JsonObject, folder: Path) -> str:
    configurations = _section(plans, "configurations")
    recorded = read_json(folder / INSTALL_RECORD).get("configuration") if (folder / INSTALL_RECORD).is_file() else None
    named = folder.name.split("__")[2] if folder.name.count("__") == 2 else None
    for name in (recorded, named, DEFAULT_CONFIGURATION):
        if isinstance(name, str) and name in configurations:
            return name
    if len(configurations) == 1:
        return next(iter(configurations))
    raise ModelError(
        f"plans.json has several configurations, {sorted(configurations)}; keep the trainer folder's "
        "name, which says which one was trained."
    )


def _require_ct(dataset: JsonObject, settings: JsonObject) -> None:
    """Raise ModelError unless the model takes one CT channel in 3-D and is no later stage of a cascade."""
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict):
        raise ModelError("dataset.json names no input channels ('channel_names'); use the one nnU-Net trained with.")
    schemes = settings.get("normalization_schemes")
    if len(channels) != 1 or not isinstance(schemes, list) or len(schemes) != 1:
        raise ModelError(
            f"The model takes {len(channels)} input channels ({', '.join(map(str, channels.values()))}), "
            "but only one CT is available; choose a model with a single CT channel."
        )
    if schemes != ["CTNormalization"]:
        raise ModelError(
            f"The model was made for other images than CT (its normalization is {schemes[0]}, not "
            "CTNormalization); choose a model trained on CT."
        )
    patch_size = settings.get("patch_size")
    if isinstance(patch_size, list) and len(patch_size) == 2:
        raise ModelError("The model is 2-D; choose one of the 3d_fullres configuration.")
    if settings.get("previous_stage") is not None:
        raise ModelError(
            f"The model is the second stage of a cascade after {settings['previous_stage']!r}, which is "
            "not supported; choose one of the 3d_fullres configuration."
        )


def _read_axes(plans: JsonObject) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(transpose_forward, transpose_backward), permutations of (0, 1, 2) that undo each other."""
    forward, backward = (_permutation(plans.get(key)) for key in ("transpose_forward", "transpose_backward"))
    if [forward[axis] for axis in backward] != [0, 1, 2]:
        raise ModelError("transpose_backward in plans.json does not undo transpose_forward; use the original file.")
    return forward, backward


def _permutation(order: object) -> tuple[int, ...]:
    if not isinstance(order, list) or not all(_is_int(n) for n in order) or sorted(order) != [0, 1, 2]:
        raise ModelError(
            f"plans.json has the axis order {order!r} instead of a permutation of 0, 1, 2; use the original plans.json."
        )
    return tuple(order)


def _read_labels(dataset: JsonObject) -> _Labels:
    """The label fields of ModelInfo. Raises ModelError unless exactly one label can be the face."""
    labels = dataset.get("labels")
    if not isinstance(labels, dict) or not _is_int(labels.get("background")) or labels["background"] != 0:
        raise ModelError("dataset.json has no labels with 'background': 0; use the dataset.json of nnU-Net v2.")
    foreground = {name: _label_values(name, value) for name, value in labels.items() if name not in ("background", "ignore")}
    names = list(foreground)
    faces = names if len(names) == 1 else [name for name in names if "face" in name.lower()]
    if len(faces) != 1:
        raise ModelError(
            f"The model's labels are {names or 'only background'}, and which one is the face cannot be "
            "told; choose a model with one label, or with one whose name contains 'face'."
        )
    position = names.index(faces[0])
    if any(len(values) > 1 for values in foreground.values()):
        order = dataset.get("regions_class_order")
        if not isinstance(order, list) or len(order) != len(names) or not all(_is_int(n) for n in order):
            raise ModelError(
                "dataset.json has labels made of regions but no matching 'regions_class_order'; use the "
                "dataset.json that nnU-Net trained with."
            )
        return {"labels": labels, "has_regions": True, "num_classes": len(names), "face_channel": position}
    used = sorted({values[0] for values in foreground.values()})
    if used != list(range(1, len(used) + 1)):
        raise ModelError(
            f"The label values in dataset.json are {used} instead of 1, 2, ... without gaps; use the "
            "dataset.json that nnU-Net trained with."
        )
    return {"labels": labels, "has_regions": False, "num_classes": len(used) + 1, "face_channel": foreground[faces[0]][0]}


def _label_values(name: str, value: object) -> list[int]:
    given = value if isinstance(value, list) else [value]
    values = [n for n in given if _is_int(n) and n > 0]
    if not given or len(values) != len(given):
        raise ModelError(
            f"Label {name!r} in dataset.json has the value {value!r} instead of a positive whole number "
            "or a list of them; use the dataset.json of nnU-Net v2."
        )
    return values


def _read_intensities(plans: JsonObject) -> _Intensities:
    """clip_low, clip_high, mean (HU) and std of ModelInfo, from the training set's foreground."""
    key = "foreground_intensity_properties_per_channel"
    if key not in plans:
        key = "foreground_intensity_properties_by_modality"
    channel = _section(_section(plans, key), "0", f"{key} in plans.json")
    keys = ("percentile_00_5", "percentile_99_5", "mean", "std")
    values = [float(n) for n in map(channel.get, keys) if _is_number(n)]
    if len(values) != len(keys) or values[0] >= values[1] or values[3] <= 0:
        raise ModelError(
            f"The intensities in plans.json ({', '.join(keys)}) are missing or impossible; use the original plans.json."
        )
    return {"clip_low": values[0], "clip_high": values[1], "mean": values[2], "std": values[3]}


def _section(mapping: JsonObject, key: str, where: str = "plans.json") -> JsonObject:
    section = mapping.get(key)
    if not isinstance(section, dict) or not section:
        raise ModelError(f"{where} has no {key!r}; use the plans.json that nnU-Net wrote.")
    return section


def _numbers(settings: JsonObject, key: str, count: int) -> tuple[float, ...]:
    """A tuple of ``count`` positive numbers from a plan's configuration, as floats."""
    values = settings.get(key)
    if not isinstance(values, list) or len(values) != count or not all(_is_number(n) and n > 0 for n in values):
        raise ModelError(
            f"{key} in plans.json is {values!r} instead of {count} positive numbers; use the original plans.json."
        )
    return tuple(float(n) for n in values)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    # The comparison also refuses NaN, infinity and integers too large for a float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
