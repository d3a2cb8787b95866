"""Corrected masks to a training set, and the set to an installed model, with the shell's commands."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.cli.main import main
from CTADefaceLib.cli.train_command import report
from CTADefaceLib.errors import ExistsError, InputError, MaskError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.training.collect import add_case, read_dataset
from CTADefaceLib.training.dataset import find_heads
from helpers import phantom

SECRET = "DOE^JANE 1970-01-01"


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """(paths of image and mask) of four heads whose names and headers tell who they are."""
    folder = tmp_path_factory.mktemp("annotated")
    hu, face, *_ = phantom.head_parts()
    pairs = []
    for number in range(4):
        image, mask = folder / f"doe_jane_{number}.nii.gz", folder / f"doe_jane_{number}_corrected.nii.gz"
        sitk.WriteImage(phantom.image((hu + number).astype(np.int16), "LPS"), str(image))
        sitk.WriteImage(phantom.image(face.astype(np.uint8), "LPS"), str(mask))
        for path in (image, mask):
            named = nibabel.load(path)
            named.header["descrip"], named.header["db_name"] = SECRET.encode(), b"JANE"
            named.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", SECRET.encode()))
            nibabel.save(nibabel.Nifti1Image(np.asanyarray(named.dataobj), named.affine, named.header), path)
        pairs.append((image, mask))
    return pairs


@pytest.fixture(scope="module")
def collected(annotated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for image, mask in annotated:
        assert main(["train", "add", str(image), str(mask), "--to", str(folder)]) == 0
    return folder


def test_a_set_is_what_nnunet_reads_and_names_nobody(collected, annotated):
    assert [head.name for head in find_heads(collected)] == [f"head_000{number}" for number in range(1, 5)]
    dataset = json.loads((collected / "dataset.json").read_text())
    assert dataset["numTraining"] == 4 and dataset["labels"] == {"background": 0, "face": 1}
    for head, (image, mask) in zip(find_heads(collected), annotated):
        for ours, theirs in ((head.image, image), (head.mask, mask)):
            new, old = read_volume(ours), read_volume(theirs)
            assert np.array_equal(new.stored, old.stored) and new.geometry.matches(old.geometry)
            header = nibabel.load(ours).header
            assert not header.extensions and not (bytes(header["descrip"]) + bytes(header["db_name"])).strip(b"\0")
            assert SECRET.encode() not in new.source.prefix
    said = json.dumps(dataset) + "".join(path.name for path in collected.rglob("*"))
    assert "jane" not in said.lower()


def test_stock_nnunet_accepts_the_set(collected):
    from nnunetv2.experiment_planning.verify_dataset_integrity import check_cases
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

    cases = get_filenames_of_train_images_and_targets(str(collected))
    assert sorted(cases) == [head.name for head in find_heads(collected)]
    assert all(check_cases(case["images"], case["label"], 1, SimpleITKIO) for case in cases.values())


def test_a_scan_comes_once_and_its_mask_can_be_replaced(annotated, tmp_path):
    image, mask = annotated[0]
    assert add_case(image, mask, tmp_path / "set") == "head_0001"
    with pytest.raises(ExistsError, match="as head_0001"):
        add_case(image, mask, tmp_path / "set")
    smaller = read_volume(mask)
    smaller.stored[:40] = 0
    assert add_case(read_volume(image), smaller, tmp_path / "set", overwrite=True) == "head_0001"
    (head,) = find_heads(tmp_path / "set")
    assert np.array_equal(read_volume(head.mask).stored, smaller.stored)
    assert read_dataset(tmp_path / "set")["numTraining"] == 1
    smaller.stored[:] = 0
    with pytest.raises(MaskError, match="empty"):
        add_case(image, smaller, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_folder_of_another_task_is_refused(annotated, tmp_path):
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"})
    )
    with pytest.raises(InputError, match="other labels"):
        add_case(*annotated[0], tmp_path)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "CTADefaceLib", "train", "run", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_the_bundled_model_to_an_installed_one(collected, tmp_path, monkeypatch):
    """Prepare, train, stop, continue, measure and install for real, as small as nnU-Net allows."""
    model = tmp_path / "model"
    small = ["--variants", 1, "--iterations", 1, "--held-out", "head_0003"]
    process = run(collected, "-o", model, "--epochs", 1, *small, "--work", tmp_path / "work")
    assert process.returncode == 0, process.stderr[-3000:]
    assert "before" in process.stdout and "on 1 heads held back" in process.stdout
    if sys.platform != "win32":
        # Nobody else reads the faces in nnU-Net's files.
        assert not [path for path in (tmp_path / "work", *(tmp_path / "work").rglob("*")) if path.stat().st_mode & 0o077]
    evaluation = json.loads((model / "evaluation.json").read_text())
    assert evaluation["from"] == "head-3mm" and evaluation["heads"] == 3 and list(evaluation["cases"]) == ["head_0003"]
    # One step from the bundled weights: the mask is nearly theirs, which from random weights it could not be.
    dice = evaluation["cases"]["head_0003"]
    assert dice["trained"] > dice["before"] - 0.1 > 0.3

    monkeypatch.setenv("CTADEFACE_MODELS", str(tmp_path / "installed"))
    assert main(["models", "install", str(model), "--name", "ours"]) == 0
    from CTADefaceLib.models.store import find_model

    bundled, ours = find_model(), find_model("ours")
    assert ours.spacing == bundled.spacing and (ours.clip_low, ours.mean) == (bundled.clip_low, bundled.mean)
    assert ours.patch_size == bundled.patch_size

    again = run(collected, "-o", model, *small)
    assert again.returncode == 5 and "exists already" in again.stderr
    again = run(collected, "-o", tmp_path / "second", *small, "--work", tmp_path / "work")
    assert again.returncode == 5 and "--resume" in again.stderr
    log = (model / "training_log.txt").read_text()
    assert "Epoch 0" in log and str(tmp_path) not in log


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["--held-out", "head_0009"], "no such head"),
        (["--from", "nothing"], "no model or folder"),
        (["--hold-out-every", "1"], "leave some to train with"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_written(collected, tmp_path, capsys, arguments, why):
    assert main(["train", "run", str(collected), "-o", str(tmp_path / "model"), *arguments]) == 4
    assert why in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("heads", [1, 2])
def test_too_few_heads_to_measure_on_are_refused_unless_that_is_asked_for(annotated, tmp_path, capsys, heads):
    for image, mask in annotated[:heads]:
        assert main(["train", "add", str(image), str(mask), "--to", str(tmp_path / "set")]) == 0
    command = ["train", "run", str(tmp_path / "set"), "-o", str(tmp_path / "model")]
    assert main(command) == 4 and f"too few heads ({heads})" in capsys.readouterr().err
    # Which is past the question: only then is the model looked for.
    assert main([*command, "--hold-out-every", "0", "--from", "nothing"]) == 4
    assert "no model or folder" in capsys.readouterr().err


def test_a_worse_model_is_called_worse():
    dice = {"before": {"mean": 0.93, "worst": 0.90, "cases": 3}, "trained": {"mean": 0.94, "worst": 0.89, "cases": 3}}
    assert "keep it" in list(report({"dice": dice}))[-1]
    dice["trained"]["worst"] = 0.91
    assert "keep it" not in "\n".join(report({"dice": dice}))
    assert "nothing is known" in next(report({"dice": {}}))
