"""What nnU-Net's own planners write passes the schema, for every planner that it comes with."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.models import folder, schema
from CTADefaceLib.models.architecture import _read_architecture
from CTADefaceLib.models.store import bundled_folder

PLANNERS = (
    "ExperimentPlanner",
    "ResEncUNetPlanner",
    "nnUNetPlannerResEncM",
    "nnUNetPlannerResEncL",
    "nnUNetPlannerResEncXL",
    "nnUNetPlanner_torchres",
    "nnUNetPlannerResEncL_torchres",
    "nnUNetPlannerResEncL_torchres_sepz",
    "nnUNetPlannerResEncL_noResampling",
)
DATASET = "Dataset001_Face"
INTENSITIES = {
    "max": 3071.0,
    "mean": -60.5,
    "median": -46.0,
    "min": -1600.0,
    "percentile_00_5": -636.0,
    "percentile_99_5": 499.0,
    "std": 188.0,
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Folders of nnU-Net with a data set of CTA, of which only the fingerprint says how large it is."""
    from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json

    base = tmp_path_factory.mktemp("nnunet")
    place, prepared = base / "raw" / DATASET, base / "preprocessed" / DATASET
    for folder_path in (place / "imagesTr", place / "labelsTr", prepared):
        folder_path.mkdir(parents=True)
    image = sitk.GetImageFromArray(np.zeros((4, 4, 4), np.int16))
    sitk.WriteImage(image, str(place / "imagesTr" / "a_0000.nii.gz"))
    sitk.WriteImage(image, str(place / "labelsTr" / "a.nii.gz"))
    generate_dataset_json(
        str(place),
        {0: "CT"},
        {"background": 0, "face": 1},
        1,
        ".nii.gz",
        citation=["one"],
        reference="r",
        release="1",
        description="d",
        anything={"else": [1, 2]},
    )
    (prepared / "dataset_fingerprint.json").write_text(
        json.dumps(
            {
                "spacings": [[0.6, 0.45, 0.45]] * 5,
                "shapes_after_crop": [[400, 512, 512]] * 5,
                "foreground_intensity_properties_per_channel": {"0": INTENSITIES},
                "median_relative_size_after_cropping": 1.0,
            }
        )
    )
    return base


@pytest.mark.parametrize("planner", PLANNERS)
def test_what_a_planner_writes_is_accepted(raw, planner, monkeypatch, capsys):
    import nnunetv2
    from nnunetv2.experiment_planning.experiment_planners import default_experiment_planner as planning
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    for module in (planning, "nnunetv2.experiment_planning.experiment_planners.resencUNet_planner"):
        name = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{name}.nnUNet_preprocessed", str(raw / "preprocessed"), raising=False)
        monkeypatch.setattr(f"{name}.nnUNet_raw", str(raw / "raw"), raising=False)
    for module in ("nnunetv2.paths", "nnunetv2.utilities.dataset_name_id_conversion"):
        for name in ("raw", "preprocessed", "results"):
            monkeypatch.setattr(f"{module}.nnUNet_{name}", str(raw / name), raising=False)
    found = recursive_find_python_class(f"{nnunetv2.__path__[0]}/experiment_planning", planner, "nnunetv2.experiment_planning")
    # nnU-Net's own builds the network again and again, for half a minute.
    monkeypatch.setattr(
        found, "static_estimate_VRAM_usage", staticmethod(lambda patch, *_: 300.0 * np.prod(patch, dtype=float))
    )
    chosen = found(DATASET)
    chosen.plan_experiment()
    plans = json.loads((raw / "preprocessed" / DATASET / f"{chosen.plans_identifier}.json").read_text())
    dataset = json.loads((raw / "raw" / DATASET / "dataset.json").read_text())
    assert plans["configurations"].keys() == {"2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"}
    for name in plans["configurations"].keys() - {"2d"}:
        settings = folder.resolve_configuration(plans, name)
        schema.check_model(plans, dataset, name, settings)
        assert _read_architecture(settings)[0] in ("PlainConvUNet", "ResidualEncoderUNet")


def test_the_bundled_model_is_accepted():
    for place in bundled_folder().iterdir():
        assert folder.inspect_folder(place, place.name, "bundled").problem is None
