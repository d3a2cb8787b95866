"""What an instance is by its Image Type, in the words that vendors write: projections are never taken for slices."""

import pytest

from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.dicom.reading.series_kinds import CT, LOCALIZER, MPR, PROJECTION, kind_of
from helpers import dicom_maker as maker

SLICES = {
    ("ORIGINAL", "PRIMARY", "AXIAL"): CT,
    ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"): CT,
    ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM7 SPI DUAL", "DE_TYPE_3"): CT,
    ("ORIGINAL", "PRIMARY", "AXIAL", "HELIX"): CT,
    ("ORIGINAL", "PRIMARY", "VOLUME", "ADDITION"): CT,
    ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"): CT,
    ("DERIVED", "SECONDARY", "MPR"): MPR,
    ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"): MPR,
    ("DERIVED", "SECONDARY", "MPR", "CSA MPRTHICK"): MPR,
    ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"): MPR,
    ("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"): MPR,
    ("DERIVED", "SECONDARY", "OTHER", "DE_MONO_40KEV"): MPR,
    ("ORIGINAL", "PRIMARY", "OTHER", "VNC"): CT,
    # A word counts only where it stands by itself.
    ("ORIGINAL", "PRIMARY", "AXIAL", "MAXI", "HR3D2", "CT_SSDX"): CT,
}
PROJECTIONS = (
    "MIP",
    "CT_SOM5 MIP",
    "CSA MIP",
    "MIP THIN",
    "MIPTHICK",
    "MPR_MIP",
    "MINIP",
    "MIN_IP",
    "MAX_IP",
    "TMIP",
    "CSA 3D",
    "3D",
    "PROJECTION",
    "PROJECTION IMAGE",
    "VRT_AVERAGE",
    "CT_SOM5 VRT",
    "SSD",
    "VOLUME_RENDER",
    "VOLUME_RENDERING",
    "SURFACE RENDER",
    "RENDERED",
    "MAXIMUM",
)


def header(*image_type, **elements):
    dataset = maker.base(maker.Study(), "1.2.3", 1, image_type, maker.CTImageStorage)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize("image_type", SLICES, ids="-".join)
def test_slices_stay_slices(image_type):
    assert kind_of(header(*image_type)) == SLICES[image_type]


@pytest.mark.parametrize("word", PROJECTIONS)
def test_projections_in_the_words_of_vendors(word):
    for image_type in (("DERIVED", "SECONDARY", "AXIAL", word), ("DERIVED", "SECONDARY", word), (word,)):
        assert kind_of(header(*image_type)) == PROJECTION


@pytest.mark.parametrize("word", ["LOCALIZER", "CSA TOPOGRAM", "SCOUT_VIEW"])
def test_localizers_in_the_words_of_vendors(word):
    assert kind_of(header("ORIGINAL", "PRIMARY", word)) == LOCALIZER


def frame_types(*types, shared=False, **elements):
    """A change of an enhanced file whose top level says MIXED: the frames are in turn of these types."""

    def change(dataset):
        dataset.ImageType = ["DERIVED" if shared else "MIXED", "PRIMARY", "VOLUME", "MIXED"]
        groups = dataset.SharedFunctionalGroupsSequence
        if not shared:
            del groups[0].CTImageFrameTypeSequence
            groups = dataset.PerFrameFunctionalGroupsSequence
        for number, group in enumerate(groups):
            kind = maker.item(FrameType=list(types[number % len(types)]), **elements)
            group.CTImageFrameTypeSequence = [kind]

    return change


SLICE = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
MAXIMA = ("DERIVED", "PRIMARY", "VOLUME", "MAX_IP")
FRAMES = {
    "all slices": (frame_types(SLICE), CT),
    "all projections": (frame_types(MAXIMA), PROJECTION),
    "some projections": (frame_types(SLICE, SLICE, MAXIMA), PROJECTION),
    "shared": (frame_types(MAXIMA, shared=True), PROJECTION),
    "by technique": (frame_types(SLICE, VolumeBasedCalculationTechnique="MAX_IP"), PROJECTION),
    "sampled": (frame_types(SLICE, VolumetricProperties="SAMPLED", shared=True), PROJECTION),
    "distorted": (frame_types(SLICE, VolumetricProperties="DISTORTED"), PROJECTION),
    "a localizer": (frame_types(SLICE, ("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE")), LOCALIZER),
    "derived": (frame_types(SLICE, ("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED")), MPR),
}


@pytest.mark.parametrize("case", FRAMES)
def test_frames_of_an_enhanced_file_are_asked_too(tmp_path, case):
    change, kind = FRAMES[case]
    maker.write_enhanced(tmp_path / "x.dcm", maker.upright(6), change=change)
    (series,) = find_series(tmp_path).series
    assert series.kind == kind
