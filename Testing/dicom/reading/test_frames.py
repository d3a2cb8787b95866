"""Multi-frame files: every frame is a slice of the volume, or nothing of the file is written."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.headers.uids import NewUids
from CTADefaceLib.dicom.patch import HeaderRules, write_defaced
from CTADefaceLib.dicom.reading.read_series import read_stack
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.dicom.reading.stack import stack_of
from CTADefaceLib.errors import InputError
from helpers import dicom_maker as maker

COUNT = 12


def again(dataset, count=COUNT):
    """The ``count`` frames once more, named by nothing."""
    dataset.PixelData = dataset.PixelData * 2
    dataset.NumberOfFrames = 2 * count


def one_more(dataset):
    dataset.PixelData = dataset.PixelData + dataset.PixelData[: len(dataset.PixelData) // COUNT]
    dataset.NumberOfFrames = COUNT + 1


def named_too_often(dataset):
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // COUNT * (COUNT - 2)]
    dataset.NumberOfFrames = COUNT - 2


def phases(dataset):
    """Two volumes at one place, as temporal positions or stacks of their own."""
    again(dataset)
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    dataset.PerFrameFunctionalGroupsSequence = [
        maker.item(PlanePositionSequence=list(group.PlanePositionSequence), FrameContentSequence=[content])
        for stack in "12"
        for group in groups
        for content in [maker.item(StackID=stack, TemporalPositionIndex=int(stack))]
    ]


def one_turned(dataset):
    """One frame of another orientation, such as a localizer."""
    dataset.PerFrameFunctionalGroupsSequence[3].PlaneOrientationSequence = [
        maker.item(ImageOrientationPatient=list(maker.SAGITTAL))
    ]
    shared = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        if number != 3:
            group.PlaneOrientationSequence = list(shared)
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence


def without_place(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence


def without_groups(dataset):
    dataset.PerFrameFunctionalGroupsSequence = []


REFUSED = {
    "all frames once more": (again, f"{2 * COUNT} frames"),
    "one frame more": (one_more, f"{COUNT + 1} frames"),
    "fewer frames": (named_too_often, f"{COUNT - 2} frames"),
    "two phases": (phases, "where another one lies"),
    "one frame turned": (one_turned, "different orientations"),
    "a frame without place": (without_place, "PlanePositionSequence is missing"),
    "no places at all": (without_groups, "without their positions"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("syntax", ["explicit", "RLE"])
def test_frames_that_are_no_slices_of_the_volume_are_refused(tmp_path, case, syntax):
    change, reason = REFUSED[case]
    maker.write_enhanced(tmp_path / "in" / "x.dcm", maker.upright(COUNT), change=change, syntax=syntax)
    with pytest.raises(InputError, match=reason) as caught:
        stack_of(find_series(tmp_path / "in").series[0])
    assert str(caught.value).startswith("series 1 (CT): ") and ";" in str(caught.value)


def test_a_study_does_not_release_frames_that_no_group_names(tmp_path):
    mask = maker.write_mask(tmp_path / "mask.nii.gz")
    study = maker.Study()
    maker.write_series(tmp_path / "in" / "a", maker.sparse(), study)
    maker.write_enhanced(
        tmp_path / "in" / "b" / "x.dcm",
        maker.sparse(),
        study,
        change=lambda dataset: again(dataset, 40),
    )
    results = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))
    assert sorted(r.status for r in results) == ["defaced", "failed"]
    assert len([path for path in (tmp_path / "out").iterdir() if path.is_dir()]) == 1


def test_compressed_frames_beyond_those_announced_are_refused(tmp_path):
    path = tmp_path / "in" / "x.dcm"
    maker.write_enhanced(path, maker.upright(COUNT), change=again, syntax="RLE")
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = COUNT
    dataset.save_as(path)
    with pytest.warns(UserWarning, match="frames have been found"), pytest.raises(InputError, match=f"{COUNT} frames"):
        read_stack(stack_of(find_series(path).series[0]), "test")


def test_a_file_is_read_and_written_with_all_its_frames_or_not_at_all(tmp_path):
    path = tmp_path / "in" / "x.dcm"
    maker.write_enhanced(path, maker.upright(COUNT))
    whole = stack_of(find_series(path).series[0])
    for planes in (whole.planes[:-1], whole.planes[1:], (*whole.planes[:-1], whole.planes[0])):
        stack = replace(whole, planes=planes)
        with pytest.raises(InputError, match=r"x\.dcm.*frames"):
            read_stack(stack, "test")
        changed = np.zeros((len(planes), whole.rows, whole.columns), bool)
        (tmp_path / "out").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=r"x\.dcm.*frames"):
            write_defaced(stack, changed, -1000.0, tmp_path / "out", HeaderRules(NewUids()))
        assert not list((tmp_path / "out").iterdir())
