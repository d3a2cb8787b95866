"""DICOM series with headers that no CT can have, or that announce more than the file holds: one sentence each."""

import struct
import tracemalloc
import zlib

import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.reading import pixels
from CTADefaceLib.dicom.reading.codestream import frame_size
from CTADefaceLib.dicom.reading.read_series import read_stack
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.dicom.study import plan_study
from CTADefaceLib.errors import CTADefaceError, InputError
from helpers import dicom_maker as maker

MB = 2**20


def small(folder, **changes):
    maker.write_series(folder, maker.upright(count=6, rows=40, columns=32), **changes)
    return folder


def raw(keyword, value):
    """A change of a dataset: an element as bytes that pydicom would not write."""

    def change(dataset, number):
        vr = pydicom.datadict.dictionary_VR(keyword)
        packed = struct.pack("<H", value) if vr == "US" else value.encode() + b" " * (len(value) % 2)
        tag = pydicom.tag.Tag(keyword)
        dataset._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(packed), packed, 0, False, True)

    return change


def read(folder):
    plan = plan_study(find_series(folder).series)
    return read_stack(plan.stacks[plan.candidates[0].number], "test")


def refused(folder, words=""):
    tracemalloc.start()
    try:
        with pytest.raises(CTADefaceError, match=words or None) as caught:
            read(folder)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "unexpected" not in str(caught.value) and "\n" not in str(caught.value) and ";" in str(caught.value)
    assert taken < 24 * MB, f"{taken / MB:.0f} MB"


ELEMENTS = [
    ("Rows", 65535, "cannot hold"),
    ("Columns", 0, "cannot hold"),
    ("Rows", 20, "instead of"),
    ("BitsStored", 0, ""),
    ("PixelRepresentation", 5, "representation 5"),
    ("NumberOfFrames", "99999999", ""),
    ("NumberOfFrames", "x", ""),
    ("RescaleSlope", "nan", "no HU"),
    ("RescaleSlope", "inf", "no HU"),
    ("RescaleIntercept", "nan", "no HU"),
    ("RescaleIntercept", "1e300", "no HU"),
    ("RescaleSlope", "1e30", "no HU"),
    ("RescaleSlope", "x", ""),
    ("PixelSpacing", "1e20\\3", "cannot be a CT"),
    ("PixelSpacing", "3e-9\\3e-9", "cannot be a CT"),
    ("PixelSpacing", "x\\y", ""),
    ("ImageOrientationPatient", "0\\0\\0\\0\\0\\0", "unit vectors"),
    ("ImageOrientationPatient", "9\\0\\0\\0\\9\\0", "unit vectors"),
    ("ImageOrientationPatient", "a\\b", ""),
    ("SliceThickness", "1e20", "thickness"),
    ("SliceThickness", "nan", "thickness"),
    ("SeriesNumber", "x", ""),
]


@pytest.mark.parametrize("keyword, value, words", ELEMENTS, ids=range(len(ELEMENTS)))
def test_elements_that_no_ct_can_have(tmp_path, keyword, value, words):
    refused(small(tmp_path, change=raw(keyword, value)), words)


def shifted(millimetres):
    def change(dataset, number):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x + millimetres * number, y, z]

    return change


def test_slices_far_beside_one_another_and_far_from_the_scanner(tmp_path):
    refused(small(tmp_path / "beside", change=shifted(200.0)), "beside one another")

    def far(dataset, number):
        dataset.ImagePositionPatient[1] = 1e7

    refused(small(tmp_path / "far", change=far), "origin")


def test_bits_above_sixteen_are_refused(tmp_path):
    def change(dataset, number):
        dataset.BitsStored, dataset.HighBit = 32, 31

    refused(small(tmp_path, change=change), "32 bits")


def test_a_deflated_bomb_is_not_unpacked(tmp_path):
    path = sorted(small(tmp_path, syntax="deflated").iterdir())[0]
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    size = 100 * MB
    element = struct.pack("<HH2sHI", 0x7FE3, 0x1001, b"OB", 0, size) + bytes(size)
    content = zlib.decompress(data[start:], -zlib.MAX_WBITS) + element
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + packer.compress(content) + packer.flush())
    del content
    tracemalloc.start()
    found = find_series(tmp_path).series
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 24 * MB
    (problem,) = [series.problem for series in found if series.problem]
    assert problem.startswith(f"{path.name}: unpacks to more than")
    with pytest.raises(InputError, match="unpacks to more"):
        pixels.read_dataset(path)


@pytest.mark.parametrize("syntax, marker, offset", [("JPEG 2000", b"\xff\x4f\xff\x51", 8), ("JPEG-LS", b"\xff\xf7", 5)])
def test_a_frame_that_announces_another_size_than_the_header(tmp_path, syntax, marker, offset):
    small(tmp_path, syntax=syntax, rescale=(1.0, 0.0))
    path = sorted(tmp_path.iterdir())[0]
    data = bytearray(path.read_bytes())
    at = data.index(marker, data.index(b"\xfe\xff\x00\xe0"))
    assert frame_size(bytes(data[data.index(b"\xff\xd8" if syntax == "JPEG-LS" else marker, at - 4) :][:200])) == (40, 32)
    data[at + offset] = 0x7F
    path.write_bytes(data)
    refused(tmp_path, "not the 40 x 32 of the header")


def test_the_memory_warning_comes_before_the_slices_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("CTADefaceLib.voxels.memory.available_bytes", lambda: 2**20)
    path, said = sorted(small(tmp_path / "in", syntax="RLE").iterdir())[2], []
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"truncated|decoded"):
        deface_dicom(
            tmp_path / "in", tmp_path / "out", Options(mask=maker.write_mask(tmp_path / "m.nii.gz")), warn=said.append
        )
    assert [text for text in said if "GB are free" in text]
