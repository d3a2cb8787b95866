"""Models that are broken, unsafe or for another task: each is refused with its reason, and nothing is left behind."""

import builtins
import os
import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch

from CTADefaceLib.errors import DeviceError, ModelError
from CTADefaceLib.files.storage.journal import STAGING
from CTADefaceLib.models import folder, loader, source, store
from helpers.model_samples import CHECKPOINT, LIBRARY, assert_refused, edit_checkpoint, edit_json, zip_folder

C = ("plans.json", "configurations", "3d_fullres")
L = ("dataset.json", "labels")
A = (*C, "architecture")
EDITS = [
    (("dataset.json", "channel_names", "1"), "PET", "takes 2 input channels \\(CT, PET\\)"),
    ((*C, "normalization_schemes"), ["ZScoreNormalization"], "other images than CT .*ZScoreNormalization"),
    ((*C, "patch_size"), [8, 8], "model is 2-D"),
    ((*C, "patch_size"), [8, 8, 9], "no multiple of the network's total stride"),
    ((*C, "spacing"), [1, 0, 1], "spacing in plans.json is .* instead of 3 positive numbers"),
    ((*C, "previous_stage"), "3d_lowres", "second stage of a cascade after '3d_lowres'"),
    ((*C, "inherits_from"), "3d_fullres", "inherits from itself"),
    ((*C, "inherits_from"), "gone", "no configuration 'gone'"),
    (("plans.json", "transpose_forward"), [0, 0, 1], "axis order"),
    (("plans.json", "foreground_intensity_properties_per_channel", "0", "std"), 0, "missing or impossible"),
    (("plans.json", "foreground_intensity_properties_per_channel", "0", "mean"), 10**400, "missing or impossible"),
    ((*L, "skin"), 2, "does not fit the network in plans.json"),
    (L, {"background": 0, "brain": 1, "skin": 2}, "which one is the face cannot be told"),
    (L, {"background": 0}, "only background"),
    (L, {"0": "background", "1": "face"}, "no labels with 'background': 0"),
    (L, {"background": 0, "face": 2}, "without gaps"),
    (L, {"background": 0, "a": [1, 2], "face": [2]}, "regions_class_order"),
    (A, None, "describes no network"),
    ((*A, "arch_kwargs", "features_per_stage"), [4, 10**6], "far beyond"),
    ((*A, "arch_kwargs", "features_per_stage"), [4, 16], "does not fit the network in plans.json \\(\\d+ of \\d+"),
    ((*A, "arch_kwargs", "n_stages"), 3, "cannot be built"),
    ((*A, "arch_kwargs", "strides"), [[1, 1], [2, 2]], "instead of three whole numbers per stage"),
    ((*A, "network_class_name"), "os.system", "'os.system', which is not allowed and may be unsafe"),
    ((*A, "network_class_name"), LIBRARY + "torch.hub.load", "torch.hub.load', which is not allowed"),
    ((*A, "arch_kwargs", "conv_op"), "builtins.eval", "'builtins.eval' as conv_op, which is not allowed"),
    ((*A, "arch_kwargs", "norm_op"), "torch.nn.Conv3d", "'torch.nn.Conv3d' as norm_op, which is not allowed"),
    ((*A, "_kw_requires_import"), ["features_per_stage"], "wants 'features_per_stage' imported"),
    ((*C, "patch_size"), [100000, 8, 16], "patch_size instead of 3 times a whole number from 1 to 1024"),
    ((*C, "patch_size"), [1024, 1024, 1024], "patch_size instead of at most 134217728 voxels"),
    ((*C, "patch_size"), [8.5, 8, 16], "patch_size instead of"),
    ((*C, "spacing"), [1e-6, 1, 1], "spacing instead of 3 times a number from 0.2 to 20"),
    ((*C, "spacing"), [1, 500, 1], "spacing instead of"),
    ((*C, "resampling_fn_data"), "os.system", "'os.system' as resampling_fn_data instead of"),
    ((*C, "resampling_fn_probabilities"), "eval", "'eval' as resampling_fn_probabilities instead of one of resample_data"),
    ((*C, "resampling_fn_seg_kwargs"), {"order": "x" * 500}, "resampling_fn_seg_kwargs instead of"),
    ((*C, "preprocessor_name"), "MyPreprocessor", "preprocessor_name instead of one of DefaultPreprocessor"),
    ((*C, "batch_size"), "two", "batch_size instead of a whole number"),
    ((*C, "batch_dice"), 1, "batch_dice instead of true or false"),
    ((*C, "run_before"), "os.system", "entry 'run_before', which nnU-Net does not write"),
    (("plans.json", "on_load"), "os.system", "entry 'on_load', which nnU-Net does not write"),
    (("plans.json", "image_reader_writer"), "os.system", "image_reader_writer instead of the name of a class"),
    (("plans.json", "label_manager"), "OtherManager", "label_manager instead of one of LabelManager"),
    (("plans.json", "dataset_name"), "a\nb", "dataset_name instead of a short text"),
    (("plans.json", "configurations", "2d"), {"patch_size": "large"}, "'2d' of plans.json has 'large' as patch_size"),
    (("plans.json", "foreground_intensity_properties_per_channel", "0", "percentile_99_5"), 1e8, "percentile_99_5 instead of"),
    (("plans.json", "foreground_intensity_properties_per_channel", "0", "std"), 1e-300, "std instead of"),
    ((*A, "arch_kwargs", "n_stages"), 4000, "n_stages instead of a whole number from 1 to 16"),
    ((*A, "arch_kwargs", "n_conv_per_stage"), [1, 4000], "n_conv_per_stage instead of"),
    (("dataset.json", "labels", "face"), 10**9, "labels instead of|without gaps"),
    (("dataset.json", "numTraining"), "many", "numTraining instead of"),
    (("dataset.json", "file_ending"), 7, "file_ending instead of"),
]


@pytest.mark.parametrize("where, value, message", EDITS, ids=range(len(EDITS)))
def test_edited_json_is_refused(trainer, where, value, message):
    file_name, *keys = where
    edit_json(trainer / file_name, *keys, value=value)
    assert_refused(trainer, message)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", [b"{", None])
def test_errors_name_the_users_path_and_not_that_of_a_copy(trainer, tmp_path, packed, content):
    if content is None:
        edit_json(trainer / "plans.json", *C[1:], "spacing", value=[1e-6, 1, 1])
    else:
        (trainer / "plans.json").write_bytes(content)
    path = zip_folder(trainer.parent, tmp_path / "m.zip") if packed else trainer
    with pytest.raises(ModelError) as caught:
        store.install_model(path)
    assert str(path) in str(caught.value) and STAGING not in str(caught.value)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("plans.json", None, "plans.json is missing"),
        ("dataset.json", None, "dataset.json is missing"),
        (CHECKPOINT, None, "has no fold_all/checkpoint_final.pth"),
        ("plans.json", b"{", "plans.json cannot be read"),
        ("dataset.json", b"[" * 200000, "dataset.json cannot be read"),
        ("plans.json", b"[]", "holds no JSON object"),
        ("plans.json", b"\xff\xfe{}", "plans.json cannot be read"),
        (CHECKPOINT, b"", "checkpoint_final.pth is truncated"),
        (CHECKPOINT, b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.", "checkpoint_final.pth is truncated"),
    ],
)
def test_missing_and_corrupt_files(trainer, name, content, message):
    (trainer / name).unlink()
    if content is not None:
        (trainer / name).write_bytes(content)
    assert_refused(trainer, message)


def test_truncated_and_damaged_checkpoint(trainer):
    whole = (trainer / CHECKPOINT).read_bytes()
    (trainer / CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    assert_refused(trainer, "truncated, corrupt or no PyTorch checkpoint")
    (trainer / CHECKPOINT).write_bytes(whole.replace(b"network_weights", b"nEtwork_weights"))
    assert_refused(trainer, "corrupt|holds no network weights")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c["network_weights"].popitem(), "does not fit the network"),
        (lambda c: c.update(network_weights={"a": "b"}), "holds no network weights"),
        (lambda c: c.update(init_args=None), "which configuration"),
        (lambda c: c.update(inference_allowed_mirroring_axes=(3,)), "are no axes"),
        (lambda c: [w.fill_(float("nan")) for w in c["network_weights"].values()], "not finite"),
        (lambda c: c.update(_best_ema=np.array([object()])), "'numpy._core.multiarray._reconstruct'"),
        (lambda c: c.update(_best_ema=np.complex64(1)), "not a plain number"),
    ],
)
def test_unfit_checkpoint(trainer, change, message):
    edit_checkpoint(trainer / CHECKPOINT, change)
    assert_refused(trainer, message)


class Payload:
    """Pickles as a call that creates a file."""

    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function, command, refused", [(os.system, "echo > {}", "system"), (builtins.eval, "open({!r}, 'w').close()", "eval")]
)
def test_checkpoint_cannot_run_code(trainer, tmp_path, function, command, refused):
    proof = tmp_path / "proof"
    edit_checkpoint(trainer / CHECKPOINT, lambda c: c.update(logging=Payload(function, command.format(str(proof)))))
    assert_refused(trainer, f"asks for '[a-z.]*{refused}', .* may be unsafe and was not loaded")
    assert not proof.exists()
    # The payload is a real one: an unrestricted load does create the file.
    torch.load(trainer / CHECKPOINT, weights_only=False)
    assert proof.exists()


def rewrite_checkpoint(path, compression, old=b"", new=b""):
    with zipfile.ZipFile(path) as archive:
        records = [(entry.filename, archive.read(entry).replace(old, new)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records:
            archive.writestr(name, data)


def test_numbers_saved_by_either_numpy_become_python_numbers(trainer):
    expected = {"mean_fg_dice": [0.5], "train_losses": [-0.25], "epochs": [3]}
    assert loader.load_checkpoint(trainer / CHECKPOINT)["logging"] == expected
    rewrite_checkpoint(trainer / CHECKPOINT, zipfile.ZIP_STORED, b"numpy._core.multiarray", b"numpy.core.multiarray")
    checkpoint = loader.load_checkpoint(trainer / CHECKPOINT)
    assert checkpoint["logging"] == expected
    assert type(checkpoint["_best_ema"]) is float
    rewrite_checkpoint(trainer / CHECKPOINT, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="it is compressed"):
        loader.load_checkpoint(trainer / CHECKPOINT)


def test_old_torch_loads_only_bundled_models(trainer, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(DeviceError, match=r"PyTorch 2\.9\.1.cpu cannot load .* 2\.10 or later"):
        loader.load_model(folder.inspect_folder(trainer, "m", "folder"))
    loader.load_model(folder.inspect_folder(trainer, "m", "bundled"))
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    with pytest.raises(DeviceError, match=r"2\.6 or later"):
        loader.load_model(folder.inspect_folder(trainer, "m", "bundled"))


def add_entry(name, mode=0o100644):
    def change(archive):
        entry = zipfile.ZipInfo("x")
        entry.filename, entry.create_system, entry.external_attr = name, 3, mode << 16
        with zipfile.ZipFile(archive, "a") as output:
            output.writestr(entry, "/etc/passwd")

    return change


def patch_bytes(change):
    return lambda archive: archive.write_bytes(change(archive.read_bytes()))


def set_in_directory(offset, bit):
    """Set a bit of one byte of every central directory entry."""

    def change(data):
        data, at = bytearray(data), data.find(b"PK\x01\x02")
        while at >= 0:
            data[at + offset] |= bit
            at = data.find(b"PK\x01\x02", at + 4)
        return bytes(data)

    return patch_bytes(change)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "change, message",
    [
        (add_entry("../outside.txt"), "'../outside.txt', which points outside"),
        (add_entry("a/../../plans.json"), "points outside"),
        (add_entry("..\\outside.txt"), "points outside"),
        (add_entry("/tmp/outside.txt"), "'/tmp/outside.txt', which points outside"),
        (add_entry("C:/outside.txt"), "points outside"),
        (add_entry("LICENSE", 0o120777), "is a link"),
        (add_entry("plans.json"), "contains plans.json twice"),
        (set_in_directory(8, 1), "^m.zip is encrypted; unpack it"),
        (set_in_directory(27, 1), "is not as long as announced"),
        (patch_bytes(lambda data: data[: len(data) // 2]), "truncated or no .zip"),
        (patch_bytes(lambda data: data[:200] + bytes(200) + data[400:]), "could not be copied"),
    ],
)
def test_unsafe_and_damaged_zips(trainer, tmp_path, change, message):
    archive = zip_folder(trainer, tmp_path / "m.zip")
    store.install_model(archive, name="whole")
    store.remove_model("whole")
    before = set(tmp_path.iterdir())
    change(archive)
    assert_refused(archive, message)
    assert set(tmp_path.iterdir()) == before


def test_too_large(trainer, monkeypatch):
    usage = shutil.disk_usage(trainer)
    monkeypatch.setattr(source.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert_refused(trainer, r"needs \d\.\d MiB but only 0\.0 MiB are free")
    monkeypatch.setattr(source, "SIZE_LIMIT", 1000)
    assert_refused(trainer, "more than the limit")


def test_missing_packages(trainer, monkeypatch):
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures.architectures", None)
    with pytest.raises(DeviceError, match=r"network's package is missing .* install the Python packages"):
        store.install_model(trainer)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DeviceError, match=r"PyTorch is missing or broken .* install the Python packages"):
        store.install_model(trainer)
    assert list(store.user_folder().iterdir()) == []
