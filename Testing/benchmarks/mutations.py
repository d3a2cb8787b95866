"""Damaged, truncated and absurd files made of the synthetic head, in all formats, the same for the same seed.

Each case is (name, format, ``write(folder)`` -> path of the input). The originals are written by SimpleITK, nibabel and
the tests' DICOM writer, not by the engine.
"""

import gzip
import operator
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mutation_writers import BOMB_BYTES, bomb, element_writer, file_writer, flipped, flipping, packing, put

ABSURD = ["nan", "inf", "-1", "0", "1e300", "99999999999999999999", "", "abc", "1e-300", "2147483648", "-inf", "\xff\xfe"]
NIFTI_VALUES = [0, 1, -1, 3, 7, 100, 32767, -32768]
FLOATS = [0.0, -1.0, 1e20, 1e-20, 3e38, float("nan"), float("inf"), -float("inf"), 353.5, 2**31, 1024.0]
# NIfTI-1: name -> (offset, struct's code).
NIFTI_FIELDS = {
    "sizeof_hdr": (0, "i"),
    "dim0": (40, "h"),
    "dim1": (42, "h"),
    "dim2": (44, "h"),
    "dim3": (46, "h"),
    "dim4": (48, "h"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "pixdim0": (76, "f"),
    "pixdim1": (80, "f"),
    "pixdim3": (88, "f"),
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "quatern_b": (256, "f"),
    "qoffset_x": (268, "f"),
    "srow_x0": (280, "f"),
    "srow_x3": (292, "f"),
    "srow_z2": (320, "f"),
    "magic": (344, "i"),
}
DATATYPES = [0, 1, 2, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, 4, 9999, -4]
NRRD_FIELDS = ("type", "dimension", "space", "sizes", "space directions", "kinds", "endian", "encoding", "space origin")
NRRD_SPECIAL = {
    "sizes": ["64 80", "64 80 80 1", "2 64 80 80", "640 800 800", "65536 65536 65536", "64 80 79", "64 80 -80", "64 160 40"],
    "type": ["float", "double", "uchar", "block", "long long", "unsigned short", "Short"],
    "encoding": ["gzip", "raw", "bzip2", "ascii", "hex", "GZIP"],
    "dimension": ["2", "4", "16", "17", "1000000"],
    "space": ["RAS", "left-anterior-superior", "scanner-xyz", "left-posterior-superior-time", "nowhere"],
    "space directions": [
        "(3,0,0) (0,3,0)",
        "(3,0,0) (0,3,0) (3,0,0)",
        "(nan,0,0) (0,3,0) (0,0,3)",
        "none (3,0,0) (0,3,0)",
        "(1e300,0,0) (0,3,0) (0,0,3)",
        "(3,0,0) (0,3,0) (0,0,0)",
        "(3,0,0) (0,3,0) (0,0,300)",
    ],
    "space origin": ["(1e300,0,0)", "(nan,0,0)", "(1,2)", "(1,2,3,4)", "(-1e7,0,0)", "(inf,inf,inf)"],
    "endian": ["big", "middle"],
    "kinds": ["vector domain domain", "domain"],
}
NRRD_LINES = [
    "data file: other.raw",
    "data file: /etc/passwd",
    "byte skip: -1",
    "line skip: 3",
    "axis mins: 1 2 3",
    "K\xf6rper:=Gr\xf6\xdfe",
    "spacings: 1 1 1",
    "content: \xfc",
    "no colon here",
    "type: short",
    "key\x00:=\x01\x02",
    "x" * 40000 + ":=1",
    "measurement frame: (1,0,0) (0,1,0) (0,0,1)",
]
MHA_FIELDS = (
    "ObjectType",
    "NDims",
    "BinaryData",
    "BinaryDataByteOrderMSB",
    "CompressedData",
    "CompressedDataSize",
    "TransformMatrix",
    "Offset",
    "ElementSpacing",
    "DimSize",
    "ElementType",
    "ElementDataFile",
)
MHA_SPECIAL = {
    "DimSize": ["64 80", "640 800 800", "65536 65536 65536", "64 80 79", "64 -80 80", "64 160 40", "64 80 80 1"],
    "ElementType": ["MET_FLOAT", "MET_UCHAR", "MET_DOUBLE", "MET_OTHER", "MET_SHORT_ARRAY", "MET_USHORT", "MET_ASCII_CHAR"],
    "NDims": ["2", "4", "11", "100000000"],
    "ObjectType": ["Mesh", "image"],
    "CompressedData": ["True", "False", "maybe"],
    "TransformMatrix": ["1 0 0 0 1 0 1 0 0", "0 0 0 0 0 0 0 0 0", "1e300 0 0 0 1 0 0 0 1", "1 0 0", "nan 0 0 0 1 0 0 0 1"],
    "Offset": ["1e300 0 0", "nan 0 0", "1 2", "-1e7 0 0"],
    "ElementSpacing": ["0 1 1", "-1 1 1", "1e20 1 1", "1e-9 1 1", "3 3 300"],
    "ElementDataFile": ["other.raw", "LIST", "/etc/passwd", "head%03d.raw 1 9 1"],
    "CompressedDataSize": ["1", "100", "999999999999"],
}
MHA_LINES = [
    "Comment = Gr\xf6\xdfe",
    "Note = Sch\xe4del \xb5",
    "ElementNumberOfChannels = 3",
    "HeaderSize = -1",
    "HeaderSize = 9",
    "HeaderSize = 99999999999",
    "no mark here",
    "NDims = 3",
    "Key\x00 = \x01",
    "x" * 600 + " = y",
    "Long = " + "y" * 40000,
    "Modality = MET_MOD_CT",
    "AcquisitionDate = 20200101",
    "0010|0010 = Jane",
]
DICOM_VALUES = {
    "Rows": [0, 1, 79, 65535],
    "Columns": [0, 63, 65535],
    "BitsStored": [0, 1, 12, 17, 32],
    "BitsAllocated": [8, 32, 1],
    "HighBit": [0, 31],
    "PixelRepresentation": [0, 5],
    "SamplesPerPixel": [0, 3],
    "NumberOfFrames": ["0", "2", "99999999", "x"],
    "RescaleSlope": ["0", "nan", "inf", "1e300", "x", ""],
    "RescaleIntercept": ["nan", "1e300", "", "x"],
    "PixelSpacing": [["0", "3"], ["nan", "3"], ["1e20", "3"], ["3"], ["-3", "3"], ["x", "y"], ["3e-9", "3e-9"]],
    "ImagePositionPatient": [
        ["nan", "0", "0"],
        ["1e300", "0", "0"],
        ["0", "0"],
        ["x", "0", "0"],
        ["0", "0", "9e6"],
        ["4000", "0", "0"],
    ],
    "ImageOrientationPatient": [
        ["0"] * 6,
        ["1", "0", "0", "1", "0", "0"],
        ["nan"] * 6,
        ["1", "0"],
        ["9", "0", "0", "0", "9", "0"],
    ],
    "SliceThickness": ["nan", "1e20", "-1", "x"],
    "SeriesNumber": ["x", "99999999999999"],
    "Modality": ["MR", ""],
    "SOPInstanceUID": ["", "x"],
    "SOPClassUID": ["", "1.2"],
    "ImageType": ["LOCALIZER"],
    "InstanceNumber": ["x"],
}


@dataclass(frozen=True)
class Case:
    """``kind`` 'nifti', 'nrrd', 'mha' or 'dicom'; ``checked``: a checksum in the file proves what its voxels are."""

    name: str
    kind: str
    write: Callable
    checked: bool = False


def head_image():
    """The synthetic head as a SimpleITK image, and its face (k, j, i)."""
    import SimpleITK as sitk

    from CTADefaceLib.face.synthetic_head import SPACING_MM, head_parts

    hu, face, _, _ = head_parts()
    rng = np.random.default_rng(1)
    # Stored x, y, z in LPS: rows from anterior to posterior, columns from right to left.
    hu = (hu + rng.integers(-9, 10, hu.shape)).astype(np.int16)[:, ::-1, ::-1]
    image = sitk.GetImageFromArray(np.ascontiguousarray(hu))
    image.SetSpacing([SPACING_MM] * 3)
    image.SetOrigin([-94.0, -117.0, -60.0])
    return image, np.ascontiguousarray(face[:, ::-1, ::-1])


def cases(originals, seed):
    """All cases. ``originals``: folder with what ``write_originals`` wrote."""
    rng = np.random.default_rng(seed)
    return [
        *nifti_cases(originals, rng),
        *text_cases(originals, rng, "nrrd", NRRD_FIELDS, NRRD_SPECIAL, NRRD_LINES, ": "),
        *text_cases(originals, rng, "mha", MHA_FIELDS, MHA_SPECIAL, MHA_LINES, " = "),
        *dicom_cases(originals, rng),
    ]


def write_originals(folder):
    """Write the head in every format into ``folder``, and its face as ``face.nii.gz``."""
    import nibabel
    import SimpleITK as sitk

    from helpers import dicom_maker

    image, face = head_image()
    for name, packed in (
        ("head.nii", False),
        ("head.nii.gz", True),
        ("raw.nrrd", False),
        ("packed.nrrd", True),
        ("raw.mha", False),
        ("packed.mha", True),
    ):
        sitk.WriteImage(image, str(folder / name), packed)
    loaded = nibabel.load(folder / "head.nii")
    nibabel.save(nibabel.Nifti2Image(np.asanyarray(loaded.dataobj), loaded.affine), folder / "head2.nii")
    mask = sitk.GetImageFromArray(face.astype(np.uint8))
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(folder / "face.nii.gz"), True)
    dicom_maker.write_series(folder / "dicom", dicom_maker.sparse())
    dicom_maker.write_series(folder / "rle", dicom_maker.sparse(), syntax="RLE")
    dicom_maker.write_series(folder / "deflated", dicom_maker.sparse(), syntax="deflated")
    dicom_maker.write_enhanced(folder / "enhanced" / "one.dcm", dicom_maker.sparse())
    dicom_maker.write_mask(folder / "dicom_face.nii.gz")


def nifti_cases(originals, rng):
    plain = (originals / "head.nii").read_bytes()
    second = (originals / "head2.nii").read_bytes()
    for field, (offset, code) in NIFTI_FIELDS.items():
        values = DATATYPES if field == "datatype" else FLOATS if code == "f" else [5, 7, 255] if code == "B" else NIFTI_VALUES
        for number, value in enumerate(values):
            yield file_case(
                f"nifti {field}={value}",
                ".nii.gz" if number % 2 else ".nii",
                packing(number % 2, put, plain, offset, struct.pack("<" + code, value)),
            )
    for number in range(30):
        name, source = ("nifti", plain) if number % 2 else ("nifti-2", second)
        yield file_case(f"{name} header byte {number}", ".nii", flipping(source, rng, 0, 352))
    yield from byte_cases("nifti", plain, ".nii", rng, 352)
    yield from byte_cases("nifti gz", (originals / "head.nii.gz").read_bytes(), ".nii.gz", rng, 20, checked=True)
    yield file_case(
        "nifti gz of zeros behind the voxels", ".nii.gz", lambda: gzip.compress(plain, 1) + gzip.compress(bytes(BOMB_BYTES), 9)
    )
    huge = put(plain, 42, struct.pack("<3h", 1300, 1300, 1300))
    yield file_case("nifti gz of 4 GB announced", ".nii.gz", lambda: gzip.compress(huge, 1))
    yield file_case("nifti of 4 GB announced", ".nii", lambda: huge)
    late = put(plain[:352], 108, struct.pack("<f", 2**28))
    yield file_case(
        "nifti gz with voxels after 256 MB", ".nii.gz", lambda: gzip.compress(late + bytes(2**28 - 352) + plain[352:], 1)
    )
    yield file_case("nifti without gzip", ".nii.gz", lambda: plain)
    yield file_case("nifti gzip by another name", ".nii", lambda: gzip.compress(plain, 1))


def text_cases(originals, rng, kind, fields, special, lines, mark):
    for variant in ("raw", "packed"):
        data = (originals / f"{variant}.{kind}").read_bytes()
        start = data.index(b"\n\n") + 2 if kind == "nrrd" else data.index(b"LOCAL\n") + 6
        header = data[:start].decode("latin-1").splitlines(keepends=True)
        name, make = f"{kind} {variant}", partial(text_case, kind, data[start:], variant == "packed")
        for field in fields:
            place = next((n for n, line in enumerate(header) if line.startswith(field + mark)), None)
            if place is None:
                continue
            before, after = header[:place], header[place + 1 :]
            for value in special.get(field, []) + (ABSURD if variant == "raw" else ABSURD[:4]):
                yield make(f"{name} {field}={value!r}", [*before, f"{field}{mark}{value}\n", *after])
            yield make(f"{name} without {field}", before + after)
        place = 2 if kind == "mha" else 4
        for line in lines:
            yield make(f"{name} with {line[:40]!r}", [*header[:place], line + "\n", *header[place:]])
        for number in range(15):
            yield file_case(
                f"{name} header byte {number}", "." + kind, flipping(data, rng, 0, start), checked=variant == "packed"
            )
        yield from byte_cases(name, data, "." + kind, rng, start, variant == "packed")
        for size in ("1290 1290 1290", "64 80 20000", "2000 2000 1000"):
            yield make(f"{name} announces {size}", [line.replace("64 80 80", size) for line in header])
    body = partial({"nrrd": gzip.compress, "mha": zlib.compress}[kind], bytes(BOMB_BYTES), 9)
    yield file_case(
        f"{kind} unpacks to {BOMB_BYTES} bytes",
        "." + kind,
        lambda: "".join(line for line in header if not line.startswith("CompressedDataSize")).encode("latin-1") + body(),
        checked=True,
    )


def text_case(kind, body, checked, name, header):
    return file_case(name, "." + kind, lambda: "".join(header).encode("latin-1") + body, checked=checked)


def byte_cases(name, data, extension, rng, start, checked=False):
    """Flips, holes, truncation and appended bytes behind ``start``."""
    make = partial(file_case, extension=extension, checked=checked)
    for number in range(8):
        yield make(f"{name} voxel byte {number}", content=flipping(data, rng, start, len(data)))
    for share in (0.0, 0.01, 0.3, 0.9, 0.9999):
        yield make(
            f"{name} cut at {share}", content=partial(bytes.__getitem__, data, slice(start + int(share * (len(data) - start))))
        )
    yield make(f"{name} without its last byte", content=lambda: data[:-1])
    for share in (0.1, 0.6):
        at = start + int(share * (len(data) - start))
        yield make(f"{name} with a hole at {share}", content=partial(put, data, at, bytes(2000)))
        yield make(f"{name} with 100 bytes missing at {share}", content=lambda at=at: data[:at] + data[at + 100 :])
    for size in (1, 64, 10**6):
        yield make(f"{name} with {size} random bytes more", content=partial(operator.add, data, rng.bytes(size)))
    yield make(f"{name} empty", content=lambda: b"", checked=False)
    yield make(f"{name} random", content=partial(bytes, rng.bytes(5000)), checked=False)


def dicom_cases(originals, rng):
    for keyword, values in DICOM_VALUES.items():
        for number, value in enumerate(values):
            for every in (True, False) if number % 2 else (True,):
                yield Case(
                    f"dicom {keyword}={value} in {'every file' if every else 'one file'}",
                    "dicom",
                    element_writer(originals / "dicom", keyword, value, every),
                )
    for name in ("dicom", "rle", "deflated", "enhanced"):
        for number in range(10):
            yield Case(f"dicom {name} byte {number}", "dicom", file_writer(originals / name, rng, flipped, 132, 1500))
        for number in range(4):
            yield Case(f"dicom {name} pixel byte {number}", "dicom", file_writer(originals / name, rng, flipped, 2000, None))
        for share in (0.02, 0.2, 0.9):
            yield Case(
                f"dicom {name} cut at {share}",
                "dicom",
                file_writer(originals / name, rng, lambda data, rng, low, high, share=share: data[: int(len(data) * share)]),
            )
    yield Case("dicom bomb", "dicom", file_writer(originals / "deflated", rng, bomb))


def file_case(name, extension, content, checked=False):
    """A ``Case`` of one file; ``content()`` makes its bytes when they are needed."""

    def write(folder):
        path = folder / ("head" + extension)
        path.write_bytes(content())
        return path

    return Case(name, {".nrrd": "nrrd", ".mha": "mha"}.get(extension, "nifti"), write, checked)
