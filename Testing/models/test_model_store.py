"""Models: installing, finding, loading and removing them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from CTADefaceLib.errors import Cancelled, ModelError
from CTADefaceLib.models import folder, loader, store
from CTADefaceLib.models.store import bundled_folder
from CTADefaceLib.progress import Progress
from helpers.model_samples import (
    CHECKPOINT,
    CONFIGURATIONS,
    DATASET,
    assert_refused,
    edit_checkpoint,
    edit_json,
    nnunet_network,
    write_json,
    write_model,
    zip_folder,
)


@pytest.mark.parametrize("style", CONFIGURATIONS)
def test_network_computes_what_nnunet_computes(samples, style):
    model = loader.load_model(folder.inspect_folder(samples[style], style, "folder"))
    reference = nnunet_network(CONFIGURATIONS[style])
    reference.load_state_dict(torch.load(samples[style] / CHECKPOINT, weights_only=False)["network_weights"])
    reference.decoder.deep_supervision = False
    patch = torch.randn(1, 1, 8, 8, 16)
    with torch.inference_mode():
        torch.testing.assert_close(model.network(patch), reference.eval()(patch))
    assert not model.network.training
    assert (model.mirror_axes, model.configuration, len(model.parameters)) == ((0, 1, 2), "3d_fullres", 1)


def test_info_describes_plan_and_dataset(trainer):
    edit_json(trainer / "plans.json", "transpose_forward", value=[2, 0, 1])
    edit_json(trainer / "plans.json", "transpose_backward", value=[1, 2, 0])
    info = folder.inspect_folder(trainer, "sample", "folder")
    assert (info.patch_size, info.spacing, info.spacing_zyx) == ((8, 8, 16), (4.0, 2.0, 1.0), (2.0, 1.0, 4.0))
    assert (info.clip_low, info.clip_high, info.mean, info.std) == (-900.0, 500.0, -50.0, 200.0)
    assert (info.num_classes, info.face_channel, info.labels) == (2, 1, {"background": 0, "face": 1})
    assert folder.checksum(info) == hashlib.sha256((trainer / CHECKPOINT).read_bytes()).hexdigest()


@pytest.mark.parametrize("style", ["new", "old"])
@pytest.mark.parametrize("layout", ["trainer", "tree", "trainer.zip", "tree.zip", "deep.zip"])
def test_install_list_find_remove(samples, tmp_path, user_store, style, layout):
    tree = samples[style].parents[1]
    archive = tmp_path / layout
    path = {
        "trainer": lambda: samples[style],
        "tree": lambda: tree,
        "trainer.zip": lambda: zip_folder(samples[style], archive),
        "tree.zip": lambda: zip_folder(tree, archive, "__MACOSX/") and zip_folder(tree, archive),
        "deep.zip": lambda: zip_folder(tree, archive, "download/results/"),
    }[layout]()
    info = store.install_model(path)
    files = {p.relative_to(user_store).as_posix() for p in user_store.rglob("*") if p.is_file()}
    assert files == {
        f"Dataset001_DEFACE/{name}"
        for name in ("plans.json", "dataset.json", CHECKPOINT, "LICENSE.txt", folder.INSTALL_RECORD)
    }
    assert store.list_models() == [info] == [store.find_model("Dataset001_DEFACE")]
    assert (info.origin, info.problem, info.folder) == ("installed", None, user_store / "Dataset001_DEFACE")
    assert loader.verify_model(info).mirror_axes == (0, 1, 2)
    store.remove_model("Dataset001_DEFACE")
    assert store.list_models() == [] == list(user_store.iterdir())


def test_bundled_comes_first_is_default_and_stays(trainer, tmp_path):
    store.install_model(trainer, name="Another")
    shutil.copytree(trainer, tmp_path / "bundled" / "Own")
    assert [(m.name, m.origin) for m in store.list_models()] == [("Own", "bundled"), ("Another", "installed")]
    assert store.find_model() == store.find_model("Own") == store.find_model(tmp_path / "bundled" / "Own")
    with pytest.raises(ModelError, match="comes with CTADeface and cannot be removed"):
        store.remove_model("Own")
    with pytest.raises(ModelError, match="choose another name"):
        store.install_model(trainer, name="Own", overwrite=True)
    assert (tmp_path / "bundled" / "Own" / CHECKPOINT).is_file()


def test_bundled_folder_of_module_and_of_wheel(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "__file__", str(tmp_path / "CTADeface" / "CTADefaceLib" / "models" / "store.py"))
    assert bundled_folder() == tmp_path / "CTADeface" / "CTADefaceLib" / "Model"
    in_module = tmp_path / "CTADeface" / "Resources" / "Model"
    shutil.copytree(trainer, in_module)
    assert bundled_folder() == in_module
    # The model may also lie in the folder itself instead of in a folder of its name.
    monkeypatch.setattr(store, "bundled_folder", bundled_folder)
    assert (store.find_model().name, store.find_model("bundled").folder) == ("bundled", in_module)


def test_find_by_folder_and_unknown(trainer, tmp_path):
    assert store.find_model(tmp_path / "results").folder == store.find_model(str(trainer)).folder == trainer
    with pytest.raises(ModelError, match="comes without a model"):
        store.find_model()
    with pytest.raises(ModelError, match="no model or folder 'x'; the models are: none"):
        store.find_model("x")
    with pytest.raises(ModelError, match="has to be installed"):
        store.find_model(zip_folder(trainer, tmp_path / "m.zip"))
    with pytest.raises(ModelError, match="no installed model 'x'"):
        store.remove_model("x")


def test_broken_model_is_listed_but_not_used(trainer, user_store):
    info = store.install_model(trainer, name="m")
    (info.folder / "plans.json").write_text("{")
    assert "plans.json cannot be read" in store.list_models()[0].problem
    with pytest.raises(ModelError, match=r"Model m cannot be used: .*plans\.json cannot be read"):
        store.find_model("m")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b", "", "nul", "x.", "a" * 65, "a\n"])
def test_bad_names(trainer, name):
    with pytest.raises(ModelError, match="cannot be a model's name"):
        store.install_model(trainer, name=name)
    assert not store.user_folder().exists()


def test_overwrite_is_asked_for_and_failed_overwrite_keeps_the_old(trainer, tmp_path, user_store):
    old = store.install_model(trainer, name="m")
    before = folder.checksum(old)
    with pytest.raises(ModelError, match="installed already"):
        store.install_model(trainer, name="m")
    better = write_model(tmp_path / "better", seed=1)
    shutil.copytree(better, tmp_path / "bad")
    (tmp_path / "bad" / CHECKPOINT).write_bytes(b"PK")
    with pytest.raises(ModelError, match="truncated"):
        store.install_model(tmp_path / "bad", name="m", overwrite=True)
    assert folder.checksum(store.find_model("m")) == before
    store.install_model(better, name="m", overwrite=True)
    assert folder.checksum(store.find_model("m")) != before
    assert [p.name for p in user_store.iterdir()] == ["m"]


def test_failed_rename_restores_the_old(trainer, user_store, monkeypatch):
    store.install_model(trainer, name="m")
    real = os.rename

    def rename(source, target):
        if Path(target) == user_store / "m":
            raise OSError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr("os.rename", rename)
    with pytest.raises(ModelError, match=r"could not be written to .*Permission denied"):
        store.install_model(trainer, name="m", overwrite=True)
    assert store.find_model("m").problem is None
    assert [p.name for p in user_store.iterdir()] == ["m"]


def test_cancelled_install_leaves_nothing(trainer, user_store):
    progress = Progress(lambda report: progress.cancel() if report.stage == "load model" else None)
    with pytest.raises(Cancelled):
        store.install_model(trainer, progress=progress)
    assert list(user_store.iterdir()) == []


def test_several_and_no_models(trainer, tmp_path):
    shutil.copytree(trainer, trainer.with_name("nnUNetTrainer__nnUNetPlans__3d_lowres"))
    assert_refused(tmp_path / "results", "several models .*3d_fullres.*3d_lowres")
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", "contains no nnU-Net model")
    assert_refused(tmp_path / "absent", "does not exist")


def test_folds(trainer):
    for number in ("10", "2"):
        shutil.copytree(trainer / "fold_all", trainer / f"fold_{number}")
    (trainer / "fold_3").mkdir()
    assert store.install_model(trainer, name="all").folds == ("fold_all",)
    assert not (store.find_model("all").folder / "fold_2").exists()
    shutil.rmtree(trainer / "fold_all")
    info = store.install_model(trainer, name="numbered")
    assert info.folds == ("fold_2", "fold_10")
    assert len(loader.load_model(info).parameters) == 2
    edit_checkpoint(trainer / "fold_10" / "checkpoint_final.pth", lambda c: c["init_args"].update(configuration="x"))
    with pytest.raises(ModelError, match="different configurations"):
        loader.load_model(folder.inspect_folder(trainer, "m", "folder"))


def test_configuration_of_the_checkpoint_survives_installation(trainer):
    configurations = json.loads((trainer / "plans.json").read_text())["configurations"]
    configurations["3d_lowres"] = {"inherits_from": "3d_fullres", "spacing": [6.0, 6.0, 6.0], "next_stage": "x"}
    edit_json(trainer / "plans.json", "configurations", value=configurations)
    edit_checkpoint(trainer / CHECKPOINT, lambda c: c["init_args"].update(configuration="3d_lowres"))
    info = store.install_model(trainer)
    assert (info.configuration, info.spacing, info.patch_size) == ("3d_lowres", (6.0, 6.0, 6.0), (8, 8, 16))


def test_prefixed_weights_and_missing_mirror_axes(trainer):
    def change(checkpoint):
        weights = checkpoint["network_weights"]
        checkpoint["network_weights"] = {"module._orig_mod." + key: value for key, value in weights.items()}
        del checkpoint["inference_allowed_mirroring_axes"]

    edit_checkpoint(trainer / CHECKPOINT, change)
    assert loader.load_model(folder.inspect_folder(trainer, "m", "folder")).mirror_axes == ()


@pytest.mark.parametrize(
    "labels, order, expected",
    [
        ({"background": 0, "brain": 1, "FaceSkin": 2, "ignore": 3}, None, (2, False, 3)),
        ({"background": 0, "head": [1, 2], "face": [2]}, [5, 7], (1, True, 2)),
        ({"background": 0, "skin": [1]}, None, (1, False, 2)),
    ],
)
def test_labels(trainer, labels, order, expected):
    write_json(trainer / "dataset.json", {**DATASET, "labels": labels, "regions_class_order": order})
    info = folder.inspect_folder(trainer, "m", "folder")
    assert (info.face_channel, info.has_regions, info.num_classes) == expected


def test_user_folder_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("CTADEFACE_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for platform, expected in (
        ("linux", tmp_path),
        ("win32", tmp_path / "local"),
        ("darwin", tmp_path / "home" / "Library" / "Application Support"),
    ):
        monkeypatch.setattr(store.sys, "platform", platform)
        assert store.user_folder() == expected / "CTADeface" / "models"


def test_importing_loads_nothing_heavy():
    code = "import sys, CTADefaceLib.models.store; print(sorted({'torch', 'numpy', 'nnunetv2'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
