"""Loads a network with trained weights from a model folder, without running any code that the files name.

Checkpoints are pickles. They are read with ``weights_only=True``: torch's restricted unpickler, which refuses every
global that is neither on torch's own list (tensors, storages, ``torch.device``, ``collections.OrderedDict``,
``_codecs.encode``) nor on ``ALLOWED_GLOBALS`` below.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError, MissingPackages, ModelError, first_line
from .architecture import build_network, smallest_patch
from .folder import ModelInfo, inspect_folder

if TYPE_CHECKING:
    import torch

# The entries of a checkpoint can be anything until they are checked.
Checkpoint = dict[str, Any]
Weights = dict[str, "torch.Tensor"]

# Before 2.6 a file could run code in spite of weights_only (CVE-2025-32434). Before 2.10 it could still corrupt memory
# (CVE-2026-24747): such a version loads only the model that comes with this program.
OLDEST_TORCH = (2, 6)
OLDEST_TORCH_FOR_FOREIGN_FILES = (2, 10)

_STRUCT_FORMATS = {
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


class ScalarType:
    """Stands in for ``numpy.dtype``: the type of one number and nothing else.

    numpy's own would rebuild any dtype, objects included, from the state in the file.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if code not in _STRUCT_FORMATS:
            raise ValueError(f"numpy type {code!r} is not a plain number")
        self.format = "<" + _STRUCT_FORMATS[code]

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] not in ("<", ">", "|"):
            raise ValueError(f"unknown byte order {state[1]!r}")
        self.format = (">" if state[1] == ">" else "<") + self.format[1:]


def rebuild_scalar(scalar_type: ScalarType, data: bytes) -> float:
    """Stands in for numpy's ``multiarray.scalar``: a Python number from its bytes."""
    return struct.unpack(scalar_type.format, data)[0]


# What a checkpoint of nnU-Net contains beyond tensors: numpy numbers in its training log, saved by numpy 1 and 2
# under different names.
ALLOWED_GLOBALS: list[Callable | tuple[Callable, str]] = [
    (rebuild_scalar, "numpy.core.multiarray.scalar"),
    (rebuild_scalar, "numpy._core.multiarray.scalar"),
    (ScalarType, "numpy.dtype"),
]


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode on the CPU, holding the weights of the first fold.

    ``parameters``: one state dict per fold; ``mirror_axes``: spatial axes of the network's input along which
    test-time mirroring is allowed; ``info`` describes ``configuration``.
    """

    info: ModelInfo
    parameters: list[Weights]
    network: torch.nn.Module
    mirror_axes: tuple[int, ...]
    configuration: str


def load_checkpoint(path: str | Path, trusted: bool = False) -> Checkpoint:
    """Read a checkpoint file on the CPU.

    Parameters: ``trusted`` is for files that come with this program; other files need a torch in which no way around
    ``weights_only`` is known. Returns: the dict that nnU-Net saved; numpy numbers in it become Python numbers.
    Raises: ModelError for a truncated, corrupt or unsafe file, DeviceError when torch is missing or too old.
    """
    torch = _import_torch(trusted)
    path = Path(path)
    _check_container(path)
    try:
        with torch.serialization.safe_globals(ALLOWED_GLOBALS):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    # For malformed files torch raises many other types than UnpicklingError (pytorch issue 127525).
    except Exception as error:
        refused = re.search(r"GLOBAL (\S+) (?:was not|whose module)", str(error))
        if refused:
            raise ModelError(
                f"{path.name} asks for {refused[1]!r}, which is not needed for weights, so the file may "
                "be unsafe and was not loaded; get the model from a source you trust."
            ) from error
        raise ModelError(
            f"{path.name} is corrupt or no nnU-Net checkpoint ({first_line(error)}); copy the model again from its source."
        ) from error
    if not isinstance(checkpoint, dict):
        raise ModelError(
            f"{path.name} is no nnU-Net checkpoint (it holds a {type(checkpoint).__name__}); choose the "
            "folder that nnU-Net wrote."
        )
    return checkpoint


def load_model(info: ModelInfo) -> LoadedModel:
    """Load all folds of a model. Raises ModelError when anything is missing or does not fit, DeviceError."""
    if info.problem:
        raise ModelError(info.problem)
    configuration, mirror_axes, parameters = _read_folds(info)
    info = inspect_folder(info.folder, info.name, info.origin, configuration)
    smallest_patch(info, configuration)
    # On the meta device a plan with wrong sizes is refused before any memory is allocated, and no time goes into initial
    # weights that the trained ones replace.
    network = build_network(info, configuration, device="meta")
    expected = network.state_dict()
    for path, weights in zip(info.checkpoints, parameters):
        _check_fit(expected, weights, path)
    parameters = [{key: value.to(expected[key].dtype) for key, value in weights.items()} for weights in parameters]
    network.load_state_dict(parameters[0], assign=True)
    return LoadedModel(info, parameters, network, mirror_axes, configuration)


def _read_folds(info: ModelInfo) -> tuple[str, tuple[int, ...], list[Weights]]:
    """(configuration, mirror axes of the first fold, weights of each fold) in the checkpoints of a model."""
    configuration = ""
    mirror_axes: tuple[int, ...] = ()
    parameters: list[Weights] = []
    for path in info.checkpoints:
        checkpoint = load_checkpoint(path, trusted=info.origin == "bundled")
        named = _configuration_name(checkpoint, path)
        if not parameters:
            configuration, mirror_axes = named, _mirror_axes(checkpoint)
        elif named != configuration:
            raise ModelError(
                f"The folds of {info.name} were trained with different configurations ({configuration}, "
                f"{named}); install one trainer folder at a time."
            )
        parameters.append(_clean_weights(checkpoint, path))
        # Frees the optimizer's state before the next fold is read.
        del checkpoint
    return configuration, mirror_axes, parameters


def verify_model(info: ModelInfo) -> LoadedModel:
    """Load a model and run each fold once on the smallest patch of zeros. Raises ModelError, DeviceError."""
    model = load_model(info)
    import torch

    shape = smallest_patch(model.info, model.configuration)
    # In reverse order, so that the network has the weights of the first fold at the end.
    for weights in reversed(model.parameters):
        model.network.load_state_dict(weights, assign=True)
        try:
            with torch.inference_mode():
                logits = model.network(torch.zeros(1, 1, *shape))
        except RuntimeError as error:
            raise ModelError(
                f"The network of {info.name} does not run ({first_line(error)}); copy the model again from its source."
            ) from error
        if logits.shape != (1, model.info.num_classes, *shape) or not bool(torch.isfinite(logits).all()):
            raise ModelError(
                f"The network of {info.name} gives an output of shape {tuple(logits.shape)} or numbers "
                "that are not finite; copy the model again from its source."
            )
    return model


def _import_torch(trusted: bool) -> ModuleType:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of torch that Windows cannot load
        raise MissingPackages(
            f"PyTorch is missing or broken ({first_line(error)}); install the Python packages of CTADeface."
        ) from error
    version = tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2])
    needed = OLDEST_TORCH if trusted else OLDEST_TORCH_FOR_FOREIGN_FILES
    if version < needed:
        raise DeviceError(
            f"PyTorch {torch.__version__} cannot load this model file safely; install PyTorch "
            f"{needed[0]}.{needed[1]} or later" + ("." if trusted else ", or use the bundled model.")
        )
    return torch


def _check_container(path: Path) -> None:
    """Raise ModelError unless the file is a whole zip archive of stored (not compressed) records, as torch writes it."""
    try:
        with zipfile.ZipFile(path) as archive:
            compressed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; install the model again.") from error
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path.name} is truncated, corrupt or no PyTorch checkpoint ({error}); copy the model again from its source."
        ) from error
    # torch.save never compresses; a small file could unfold to fill the memory.
    if compressed:
        raise ModelError(
            f"{path.name} was not written by PyTorch (it is compressed) and may be unsafe; get the model "
            "from a source you trust."
        )


def _configuration_name(checkpoint: Checkpoint, path: Path) -> str:
    arguments = checkpoint.get("init_args")
    name = arguments.get("configuration") if isinstance(arguments, dict) else None
    if not isinstance(name, str):
        raise ModelError(
            f"{path.name} does not say which configuration it was trained with (init_args); choose a "
            "checkpoint written by nnU-Net v2."
        )
    return name


def _mirror_axes(checkpoint: Checkpoint) -> tuple[int, ...]:
    axes = checkpoint.get("inference_allowed_mirroring_axes")
    if axes is None:
        return ()
    if not isinstance(axes, (list, tuple)) or not all(axis in (0, 1, 2) for axis in axes):
        raise ModelError(f"The checkpoint allows mirroring along {axes!r}, which are no axes; copy the model again.")
    return tuple(sorted(set(axes)))


def _clean_weights(checkpoint: Checkpoint, path: Path) -> Weights:
    """State dict of a checkpoint, without the prefixes of DataParallel ('module.') and compile ('_orig_mod.')."""
    import torch

    weights = checkpoint.get("network_weights")
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and _is_plain(value, torch) for key, value in weights.items()
    ):
        raise ModelError(f"{path.name} holds no network weights; choose a checkpoint written by nnU-Net v2.")
    return {re.sub(r"^(module\.|_orig_mod\.)+", "", key): value for key, value in weights.items()}


def _is_plain(value: object, torch: ModuleType) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def _check_fit(expected: Weights, weights: Weights, path: Path) -> None:
    """Raise ModelError unless both state dicts have the same names, shapes and (for weights) kind of numbers."""
    wrong = sorted(expected.keys() ^ weights.keys())
    wrong += [
        key
        for key in expected
        if key in weights
        and (
            expected[key].shape != weights[key].shape or expected[key].is_floating_point() != weights[key].is_floating_point()
        )
    ]
    if wrong:
        raise ModelError(
            f"{path.parent.name}/{path.name} does not fit the network in plans.json ({len(wrong)} of "
            f"{len(expected)} tensors, first {wrong[0]!r}); use the plans.json of this checkpoint."
        )
