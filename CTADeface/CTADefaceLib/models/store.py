"""Where models lie: those that come with the program, and those that a user has installed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path, PurePosixPath

from ..errors import ModelError, ModelExistsError, ModelStoreError
from ..files.storage.journal import Publication, recover
from ..progress import Progress
from .folder import INSTALL_RECORD, ModelInfo, checksum, inspect_folder, read_json
from .loader import verify_model
from .source import copy_model, find_trainer_folder, open_source

NAME_PATTERN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
# Names that Windows reserves for devices, with any extension.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def bundled_folder() -> Path:
    """Folder of the models that come with the program, in the Slicer module or in the wheel; it need not exist."""
    library = Path(__file__).resolve().parent.parent
    in_module = library.parent / "Resources" / "Model"
    return in_module if in_module.is_dir() else library / "Model"


def user_folder() -> Path:
    """Folder of installed models: $CTADEFACE_MODELS, else in the platform's data folder; it need not exist."""
    if chosen := os.environ.get("CTADEFACE_MODELS"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "CTADeface" / "models"


def list_models() -> list[ModelInfo]:
    """All models, bundled before installed, by name; ``problem`` says what is wrong with a broken one.

    First recovers what an interrupted install or removal has left.
    """
    recover(user_folder())
    bundled = bundled_folder()
    if (bundled / "plans.json").is_file():
        models = [_describe(bundled, "bundled", "bundled")]
    else:
        models = _models_in(bundled, "bundled")
    return models + _models_in(user_folder(), "installed")


def find_model(name_or_folder: str | Path | None = None) -> ModelInfo:
    """The ModelInfo of a bundled or installed model, or of a folder.

    Parameters: ``name_or_folder`` is a model's name, or a path to a trainer folder or to a results tree with exactly
    one in it; None means the first bundled model. Raises: ModelError if there is none, or if it is broken.
    """
    models = list_models()
    if name_or_folder is None or name_or_folder == "":
        found = [model for model in models if model.origin == "bundled"]
    else:
        found = [model for model in models if model.name == str(name_or_folder)]
    if found:
        if found[0].problem:
            raise ModelError(f"Model {found[0].name} cannot be used: {found[0].problem}")
        return found[0]
    if name_or_folder is None or name_or_folder == "":
        raise ModelError("This copy of CTADeface comes without a model; install one, or name a model folder.")
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        trainer = _trainer_folder(path.resolve())
        known = [model for model in models if model.folder.resolve() == trainer and not model.problem]
        return known[0] if known else inspect_folder(trainer, path.resolve().name, "folder")
    if path.suffix.lower() == ".zip" and path.is_file():
        raise ModelError(f"{path.name} has to be installed before it can be used; install it as a model first.")
    names = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"There is no model or folder {str(name_or_folder)!r}; the models are: {names}.")


def install_model(
    path: str | Path, name: str | None = None, overwrite: bool = False, progress: Progress | None = None
) -> ModelInfo:
    """Verify a model in a folder or .zip and copy it into the user folder.

    Parameters: ``path`` is a trainer folder, or a results tree with exactly one in it, or a .zip of either; ``name``
    is by default the plan's dataset name; ``overwrite`` permits replacing an installed model of that name;
    ``progress`` can cancel.
    Raises: ModelError, DeviceError (torch missing), Cancelled; nothing is left behind and an old model stays.
    """
    path = Path(path).expanduser()
    if name is not None:
        _check_new_name(name, overwrite)
    with _changing(user_folder()) as change:
        model, root = _copy_source(path, change.folder, progress)
        with _users_path(path / root, model):
            name = name or _suggest_name(model, path)
        _check_new_name(name, overwrite)
        if progress is not None:
            progress.enter("load model")
        with _users_path(path / root, model):
            _verify_and_record(model, name, path.name)
        if progress is not None:
            progress.check()
        os.rename(model, change.stage(user_folder() / name, overwrite, public=True))
        change.commit()
    if progress is not None:
        progress.finish()
    return inspect_folder(user_folder() / name, name, "installed")


def remove_model(name: str) -> None:
    """Delete an installed model. Raises ModelError for one that is bundled, unknown or in use."""
    target = user_folder() / str(name)
    if not _is_valid(name) or not target.is_dir():
        if name in _bundled_names():
            raise ModelError(f"{name} comes with CTADeface and cannot be removed; choose an installed model.")
        raise ModelError(f"There is no installed model {str(name)!r}; see the list of models.")
    with _changing(user_folder()) as change:
        change.remove(target)
        try:
            change.commit()
        except OSError as error:
            raise ModelStoreError(f"{target} cannot be removed ({error.strerror}); close the programs that use it.") from error


def _models_in(folder: Path, origin: str) -> list[ModelInfo]:
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    return [_describe(path, path.name, origin) for path in paths]


def _describe(path: Path, name: str, origin: str) -> ModelInfo:
    try:
        return inspect_folder(_trainer_folder(path), name, origin)
    except ModelError as error:
        return ModelInfo(name, path, origin, problem=str(error))


def _trainer_folder(path: Path) -> Path:
    with open_source(path) as members:
        return path / find_trainer_folder(members, path.name)


def _bundled_names() -> list[str]:
    return [model.name for model in list_models() if model.origin == "bundled"]


def _is_valid(name: str) -> bool:
    return (
        isinstance(name, str)
        and NAME_PATTERN.fullmatch(name) is not None
        and not name.endswith(".")
        and not RESERVED.fullmatch(name)
    )


def _check_new_name(name: str, overwrite: bool) -> None:
    if not _is_valid(name):
        raise ModelError(
            f"{name!r} cannot be a model's name; use up to 64 letters, digits and _ . - without a leading or trailing dot."
        )
    if name in _bundled_names():
        raise ModelError(f"{name} is the name of a model that comes with CTADeface; choose another name.")
    if (user_folder() / name).exists() and not overwrite:
        raise ModelExistsError(f"A model {name} is installed already; choose another name.")


def _suggest_name(model: Path, path: Path) -> str:
    dataset = read_json(model / "plans.json").get("dataset_name")
    for text in (dataset, path.stem if path.suffix.lower() == ".zip" else path.resolve().name):
        if isinstance(text, str):
            name = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")[:64].rstrip(".")
            if _is_valid(name):
                return name
    raise ModelError(f"No name can be made from {path.name!r}; give the model a name.")


@contextmanager
def _changing(store: Path) -> Iterator[Publication]:
    """A ``Publication`` in the store: a model is always whole, the previous one or the new one. Raises: ModelError."""
    try:
        # With the modes of the umask, because models hold nothing of a patient.
        store.mkdir(parents=True, exist_ok=True)
        with Publication(store) as change:
            yield change
    except FileExistsError as error:
        raise ModelExistsError(f"A model {Path(error.filename).name} is installed already; choose another name.") from None
    except OSError as error:
        raise ModelStoreError(
            f"The model could not be written to {store} ({error.strerror}); check the disk and its "
            "permissions, or set CTADEFACE_MODELS to another folder."
        ) from error


def _copy_source(path: Path, work: Path, progress: Progress | None) -> tuple[Path, PurePosixPath]:
    """Copy the source's only model into ``work``. Returns the new folder, and the model's path in the source."""
    if progress is not None:
        progress.enter("read")
    with open_source(path) as members:
        root = find_trainer_folder(members, path.name)
        # The new name ends with the trainer folder's name, which says which configuration was trained.
        model = work / ("model-" + re.sub(r"[^A-Za-z0-9_-]", "_", root.name or path.resolve().name))
        model.mkdir()
        copy_model(members, root, model, progress)
    return model, root


@contextmanager
def _users_path(source: Path, copy: Path) -> Iterator[None]:
    """Make a ``ModelError`` about the ``copy``, which is deleted by then, name the ``source`` (perhaps in a .zip)."""
    try:
        yield
    except ModelError as error:
        text = str(error).replace(str(copy), str(source))
        raise ModelError(text if str(source) in text else f"{source}: {text}") from error


def _verify_and_record(model: Path, name: str, source_name: str) -> None:
    """Run the copied model once, then write a file beside it that says what it is and where it came from."""
    loaded = verify_model(inspect_folder(model, name, "installed"))
    record = {
        "configuration": loaded.configuration,
        "source": source_name,
        "installed": date.today().isoformat(),
        "sha256": checksum(loaded.info),
    }
    (model / INSTALL_RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
