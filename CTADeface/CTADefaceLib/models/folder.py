"""What an nnU-Net v2 trainer folder says about its model, read from plans.json and dataset.json alone.

nnU-Net's own PlansManager is not used: it imports whatever a plan names, and a plan may come from anywhere.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ModelError
from .schema import check_model

CHECKPOINT_NAME = "checkpoint_final.pth"
DEFAULT_CONFIGURATION = "3d_fullres"
FOLD_PATTERN = re.compile(r"fold_(all|\d+)")
# Written by the store beside plans.json, because an installed folder no longer has the trainer folder's name.
INSTALL_RECORD = "installed.json"
JSON_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class ModelInfo:
    """One model; everything after ``problem`` is only meaningful while ``problem`` is None.

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
    spacing: tuple = ()
    patch_size: tuple = ()
    transpose_forward: tuple = (0, 1, 2)
    transpose_backward: tuple = (0, 1, 2)
    labels: dict = field(default_factory=dict, hash=False)
    face_channel: int = 1
    has_regions: bool = False
    num_classes: int = 2
    clip_low: float = 0.0
    clip_high: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    folds: tuple = ()

    @property
    def spacing_zyx(self):
        """Spacing in mm of the untransposed (z, y, x) array."""
        return tuple(self.spacing[axis] for axis in self.transpose_backward)

    @property
    def checkpoints(self):
        """Paths of the checkpoint files in use, one per fold."""
        return [self.folder / fold / CHECKPOINT_NAME for fold in self.folds]


def inspect_folder(folder, name, origin, configuration=None):
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
        name=name, folder=folder, origin=origin, configuration=configuration, folds=folds,
        spacing=_numbers(settings, "spacing", 3), patch_size=tuple(int(n) for n in _numbers(settings, "patch_size", 3)),
        transpose_forward=forward, transpose_backward=backward,
        **_read_labels(dataset), **_read_intensities(plans))
    check_model(plans, dataset, configuration, settings)
    return info


def read_json(path):
    """The object in a JSON file. Raises ModelError if it is missing, too large, corrupt, or not an object."""
    if not path.is_file():
        raise ModelError(f"{path.name} is missing in {path.parent}; choose the folder that nnU-Net wrote, "
                         "with plans.json, dataset.json and fold_* in it.")
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


def find_folds(folder):
    """Names of the fold folders to use: fold_all alone when it has a final checkpoint, else every fold_N with one."""
    found = [path.parent.name for path in Path(folder).glob(f"fold_*/{CHECKPOINT_NAME}") if path.is_file()]
    folds = choose_folds(found)
    if not folds:
        raise ModelError(f"{folder} has no fold_all/{CHECKPOINT_NAME} (nor fold_0, fold_1, ...); finish the training "
                         "or copy the model again with its checkpoint.")
    return folds


def choose_folds(names):
    """('fold_all',) when it is among ``names``, else all fold_N in numerical order; other names are dropped."""
    names = {name for name in names if FOLD_PATTERN.fullmatch(name)}
    if "fold_all" in names:
        return ("fold_all",)
    return tuple(sorted(names, key=lambda name: (int(name[len("fold_"):]), name)))


def resolve_configuration(plans, name):
    """Settings of one configuration of a plan with ``inherits_from`` filled in. Raises ModelError."""
    configurations = _section(plans, "configurations")
    chain = []
    while name is not None:
        if not isinstance(name, str) or not isinstance(configurations.get(name), dict):
            raise ModelError(f"plans.json has no configuration {name!r}, only {sorted(configurations)}; use the "
                             "plans.json that belongs to this checkpoint.")
        if name in chain:
            raise ModelError(f"Configuration {name!r} in plans.json inherits from itself; use the original plans.json.")
        chain.append(name)
        name = configurations[name].get("inherits_from")
    settings = {}
    for name in reversed(chain):
        settings.update(configurations[name])
    return settings


def checksum(info):
    """SHA-256 (hex) over the checkpoint files in use, in fold order; for one fold that of the file itself."""
    digest = hashlib.sha256()
    for path in info.checkpoints:
        try:
            with open(path, "rb") as stream:
                while block := stream.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror}); install the model again.") from error
    return digest.hexdigest()


def _choose_configuration(plans, folder):
    configurations = _section(plans, "configurations")
    recorded = read_json(folder / INSTALL_RECORD).get("configuration") if (folder / INSTALL_RECORD).is_file() else None
    named = folder.name.split("__")[2] if folder.name.count("__") == 2 else None
    for name in (recorded, named, DEFAULT_CONFIGURATION):
        if isinstance(name, str) and name in configurations:
            return name
    if len(configurations) == 1:
        return next(iter(configurations))
    raise ModelError(f"plans.json has several configurations, {sorted(configurations)}; keep the trainer folder's "
                     "name, which says which one was trained.")


def _require_ct(dataset, settings):
    """Raise ModelError unless the model takes one CT channel in 3-D and needs no model before it."""
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict):
        raise ModelError("dataset.json names no input channels ('channel_names'); use the one nnU-Net trained with.")
    schemes = settings.get("normalization_schemes")
    if len(channels) != 1 or not isinstance(schemes, list) or len(schemes) != 1:
        raise ModelError(f"The model takes {len(channels)} input channels ({', '.join(map(str, channels.values()))}), "
                         "but only one CT is available; choose a model with a single CT channel.")
    if schemes != ["CTNormalization"]:
        raise ModelError(f"The model was made for other images than CT (its normalization is {schemes[0]}, not "
                         "CTNormalization); choose a model trained on CT.")
    patch_size = settings.get("patch_size")
    if isinstance(patch_size, list) and len(patch_size) == 2:
        raise ModelError("The model is 2-D; choose one of the 3d_fullres configuration.")
    if settings.get("previous_stage") is not None:
        raise ModelError(f"The model is the second stage of a cascade after {settings['previous_stage']!r}, which is "
                         "not supported; choose one of the 3d_fullres configuration.")


def _read_axes(plans):
    """(transpose_forward, transpose_backward), permutations of (0, 1, 2) that undo each other."""
    forward, backward = plans.get("transpose_forward"), plans.get("transpose_backward")
    for order in (forward, backward):
        if not isinstance(order, list) or not all(_is_int(n) for n in order) or sorted(order) != [0, 1, 2]:
            raise ModelError(f"plans.json has the axis order {order!r} instead of a permutation of 0, 1, 2; use the "
                             "original plans.json.")
    if [forward[axis] for axis in backward] != [0, 1, 2]:
        raise ModelError("transpose_backward in plans.json does not undo transpose_forward; use the original file.")
    return tuple(forward), tuple(backward)


def _read_labels(dataset):
    """The label fields of ModelInfo. Raises ModelError unless exactly one label can be the face."""
    labels = dataset.get("labels")
    if not isinstance(labels, dict) or not _is_int(labels.get("background")) or labels["background"] != 0:
        raise ModelError("dataset.json has no labels with 'background': 0; use the dataset.json of nnU-Net v2.")
    foreground = {name: _label_values(name, value) for name, value in labels.items()
                  if name not in ("background", "ignore")}
    names = list(foreground)
    faces = names if len(names) == 1 else [name for name in names if "face" in name.lower()]
    if len(faces) != 1:
        raise ModelError(f"The model's labels are {names or 'only background'}, and which one is the face cannot be "
                         "told; choose a model with one label, or with one whose name contains 'face'.")
    position = names.index(faces[0])
    if any(len(values) > 1 for values in foreground.values()):
        order = dataset.get("regions_class_order")
        if not isinstance(order, list) or len(order) != len(names) or not all(_is_int(n) for n in order):
            raise ModelError("dataset.json has labels made of regions but no matching 'regions_class_order'; use the "
                             "dataset.json that nnU-Net trained with.")
        return {"labels": labels, "has_regions": True, "num_classes": len(names),
                "face_channel": position}
    used = sorted({values[0] for values in foreground.values()})
    if used != list(range(1, len(used) + 1)):
        raise ModelError(f"The label values in dataset.json are {used} instead of 1, 2, ... without gaps; use the "
                         "dataset.json that nnU-Net trained with.")
    return {"labels": labels, "num_classes": len(used) + 1, "face_channel": foreground[faces[0]][0]}


def _label_values(name, value):
    values = value if isinstance(value, list) else [value]
    if not values or not all(_is_int(n) and n > 0 for n in values):
        raise ModelError(f"Label {name!r} in dataset.json has the value {value!r} instead of a positive whole number "
                         "or a list of them; use the dataset.json of nnU-Net v2.")
    return values


def _read_intensities(plans):
    """clip_low, clip_high, mean (HU) and std of ModelInfo, from the training set's foreground."""
    key = "foreground_intensity_properties_per_channel"
    if key not in plans:
        key = "foreground_intensity_properties_by_modality"
    channel = _section(_section(plans, key), "0", f"{key} in plans.json")
    keys = ("percentile_00_5", "percentile_99_5", "mean", "std")
    low, high, mean, std = (channel.get(k) for k in keys)
    if not all(_is_number(n) for n in (low, high, mean, std)) or low >= high or std <= 0:
        raise ModelError(f"The intensities in plans.json ({', '.join(keys)}) are missing or impossible; use the "
                         "original plans.json.")
    return {"clip_low": float(low), "clip_high": float(high), "mean": float(mean), "std": float(std)}


def _section(mapping, key, where="plans.json"):
    if not isinstance(mapping.get(key), dict) or not mapping[key]:
        raise ModelError(f"{where} has no {key!r}; use the plans.json that nnU-Net wrote.")
    return mapping[key]


def _numbers(settings, key, count):
    """A tuple of ``count`` positive numbers from a plan's configuration, as floats."""
    values = settings.get(key)
    if not isinstance(values, list) or len(values) != count or not all(_is_number(n) and n > 0 for n in values):
        raise ModelError(f"{key} in plans.json is {values!r} instead of {count} positive numbers; use the original "
                         "plans.json.")
    return tuple(float(n) for n in values)


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    # The comparison also refuses NaN, infinity and integers too large for a float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
