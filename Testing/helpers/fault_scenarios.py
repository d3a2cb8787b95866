"""The commands that write results, each as a ``Scenario`` for ``fault_points``; the head is synthetic, and no network runs."""

import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CTADefaceLib.batch import run_batch as batch_run
from CTADefaceLib.batch.correct import correct, reject
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom import deface_study as _dicom_case
from CTADefaceLib.files.publish import publishing
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.release import gate as release
from CTADefaceLib.release import report
from CTADefaceLib.rendering import pictures
from CTADefaceLib.training.collect import add_case
from helpers import dicom_maker as maker
from helpers import phantom
from helpers.fault_points import Scenario

# Loaded before any child is forked.
LOADED = release, report, _dicom_case
HOSPITAL = "out-hospital-only"


def scenarios(inputs):
    """All scenarios that need no network; ``inputs`` is a folder in which they find, or make, what they read."""
    head, mask, blocked, study = _inputs(Path(inputs))
    run = ["run", "--quiet", "--no-second-opinion", "--mask", mask]

    def shell(*arguments):
        return lambda base: main([*arguments, "-o", str(base / "out")])

    def made_before(*arguments):
        return lambda base: _must(main([*arguments, "-o", str(base / "out")]))

    def nothing(base):
        pass

    levelled, air = [*run, head], [*run, head, "--fill", "percentile", "--overwrite"]
    return [
        Scenario("file", nothing, shell(*levelled)),
        Scenario("file, with report", nothing, _without_drawing(shell(*levelled, "--report"))),
        Scenario("file, over an old one", made_before(*levelled), shell(*air), repeats=True),
        Scenario(
            "file, blocked",
            nothing,
            _blocked(shell("run", "--quiet", "--no-second-opinion", "--mask", blocked, head)),
            repeats=True,
        ),
        Scenario("one file", nothing, _one_file, judged=("kept",), released=()),
        Scenario("DICOM study", nothing, shell(*run, study)),
        Scenario("DICOM study, over an old one", made_before(*run, study), shell(*run, study, "--overwrite"), repeats=True),
        Scenario("batch", _with_inputs(head), _batch(mask), repeats=True, retry=_batch(mask, True)),
        Scenario("batch of a DICOM study", _with_inputs(None, study), _batch(mask), repeats=True, retry=_batch(mask, True)),
        Scenario("batch, blocked", _with_inputs(head), _batch(blocked), repeats=True),
        Scenario("correction", _queue(head, blocked), _correction(mask), repeats=True),
        Scenario("rejection", _queue(head, mask), _rejection(mask), repeats=True),
        Scenario("training case", nothing, _training(head, mask), judged=("heads",), released=(), repeats=False),
        Scenario("picture", nothing, _picture, judged=("pictures",), released=(), repeats=True),
    ]


def install_scenarios(inputs):
    """Scenarios of the store of models: install, replace, remove. They need torch and nnU-Net."""
    from CTADefaceLib.models import store
    from helpers import model_samples

    old, new = (
        model_samples.write_model(Path(inputs) / name / model_samples.TRAINER, seed=seed)
        for name, seed in (("old", 0), ("new", 1))
    )
    # What the network computes has nothing to do with how the files get their names.
    described = store.verify_model(store.inspect_folder(new, "m", "folder"))

    def at(base):
        store.user_folder = lambda: base / "models"
        store.verify_model = lambda info: _Loaded(described.configuration, info)

    def install(base, path=new, overwrite=False):
        at(base)
        store.install_model(path, "m", overwrite)
        return 0

    def installed(base):
        install(base, old)

    def replaced(base):
        at(base)
        # Whatever happened before, one of the two is there.
        if store.find_model("m").problem:
            return 2
        return install(base, overwrite=True)

    def removed(base):
        at(base)
        if any(model.name == "m" for model in store.list_models()):
            store.remove_model("m")
        return 0

    places = {"judged": ("models",), "released": ()}
    return [
        Scenario("model install", lambda base: None, _unless_there(install), repeats=True, **places),
        Scenario("model install --overwrite", installed, replaced, repeats=True, **places),
        Scenario("model remove", installed, removed, repeats=True, **places),
    ]


class _Loaded:
    def __init__(self, configuration, info):
        self.configuration, self.info = configuration, info


def _unless_there(install):
    from CTADefaceLib.errors import ModelError

    def command(base):
        try:
            return install(base)
        except ModelError as error:
            if "installed already" in str(error):
                return 0
            raise

    return command


def _inputs(folder):
    """Paths, as text, of (head, its face mask, a mask that checks stop, DICOM study)."""
    folder.mkdir(parents=True, exist_ok=True)
    head, blocked, study = folder / "head.nii.gz", folder / "wrong.nii.gz", folder / "study"
    sitk.WriteImage(phantom.image(phantom.head_parts()[0]), str(head))
    mask = maker.write_mask(folder / "mask.nii.gz")
    face = np.array(maker.parts()[1], bool)
    face[:, :, : face.shape[2] // 2] = False
    maker.write_mask_of(face, maker.phantom_geometry(), blocked)
    shared = maker.Study()
    for number in (1, 2):
        maker.write_series(study / f"s{number}", maker.sparse(), shared, number=number)
    return str(head), mask, str(blocked), str(study)


def _must(code):
    assert code == 0, code


def _without_drawing(command):
    def drawn(base):
        pictures.before_after_png = lambda *_: b"a picture"
        return command(base)

    return drawn


def _blocked(command):
    """A command that is to be stopped by a check: then it has done what it should."""

    def stopped(base):
        code = command(base)
        record = base / HOSPITAL / "head_record.json"
        return 0 if code == 3 and record.is_file() and json.loads(record.read_text())["status"] == "blocked" else code or 3

    return stopped


def _one_file(base):
    with publishing([base / "kept" / "a.txt"]) as (staged,):
        staged.write_text("one")


def _with_inputs(head=None, study=None):
    def prepare(base):
        (base / "in").mkdir()
        for name in "ab" if head else "":
            shutil.copy(head, base / "in" / f"{name}.nii.gz")
        if study:
            shutil.copytree(study, base / "in" / "study")

    return prepare


def _batch(mask, retry_failed=False):
    def command(base):
        summary = batch_run.run_batch(base / "in", base / "out", Options(mask=mask), retry_failed=retry_failed)
        return 0 if set(summary.by_status) <= {"defaced", "blocked"} else 1

    return command


def _queue(head, mask):
    def prepare(base):
        _with_inputs(head)(base)
        _must(_batch(mask)(base))

    return prepare


def _first(base):
    return load_queue(base / HOSPITAL)[0]


def _correction(mask):
    def command(base):
        if _first(base).review is None:
            given = read_volume(mask)
            correct(base / HOSPITAL, _first(base), given.as_mask(), given.geometry)
        return 0

    return command


def _rejection(mask):
    """A person rejects; then the batch runs once more, which must not bring back what was rejected."""

    def command(base):
        if _first(base).review is None:
            reject(base / HOSPITAL, _first(base))
        return _batch(mask)(base)

    return command


def _training(head, mask):
    def command(base):
        from CTADefaceLib.errors import CTADefaceError

        try:
            add_case(head, mask, base / "heads")
        except CTADefaceError as error:
            print(str(error).replace("is in", "exists already in"))
            return 1
        return 0

    return command


def _picture(base):
    (base / "pictures").mkdir(exist_ok=True)
    pictures.write_png(np.zeros((4, 4, 3), np.uint8), base / "pictures" / "a.png")
