"""Volume files that are damaged, absurd or merely unusual: each is refused in one sentence, or read as others read it."""

import gzip
import struct
import tracemalloc
import zlib

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.errors import InputError
from CTADefaceLib.files.free_text import text_warnings
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.write import write_like
from CTADefaceLib.voxels import memory
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers import phantom
from helpers.nifti_file import nifti

MB = 2**20


@pytest.fixture
def written(tmp_path):
    """``written(extension, compressed)``: path of the synthetic head, by ITK; with noise, so that every bit counts."""
    hu = phantom.head_parts()[0]
    noisy = (hu + np.random.default_rng(0).integers(-9, 10, hu.shape)).astype(np.int16)

    def write(extension, compressed=False):
        path = tmp_path / f"head{extension}"
        sitk.WriteImage(phantom.image(noisy), str(path), compressed)
        return path

    return write


def edit(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def field(path, offset, code, *values):
    """Change a field of a NIfTI-1 header, packed or not."""
    packed = path.name.endswith(".gz")
    data = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    struct.pack_into("<" + code, data, offset, *values)
    path.write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    return path


def refused(path, *words):
    """The message with which a file is refused; not much more memory than the file itself is taken for that."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read_volume(path)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert path.name in message and "unexpected" not in message and message.count("\n") == 0 and ";" in message
    assert all(word in message for word in words), message
    assert taken < 2 * phantom.head_parts()[0].nbytes + 8 * MB, f"{taken / MB:.0f} MB"


@pytest.mark.parametrize("extension", [".mha", ".nrrd", ".nii.gz"])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.8, 0.99])
def test_damaged_packed_voxels_are_refused_and_nothing_is_printed(written, capfd, extension, share):
    path = written(extension, True)
    data = bytearray(path.read_bytes())
    start = {".mha": data.find(b"LOCAL\n"), ".nrrd": data.find(b"\n\n"), ".nii.gz": 0}[extension] + 20
    data[start + int(share * (len(data) - start))] ^= 0x10
    path.write_bytes(data)
    refused(path, "cannot be read")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("extension, end", [(".mha", b"LOCAL\n"), (".nrrd", b"\n\n")])
def test_packed_voxels_that_are_too_few_though_their_checksum_is_right(written, extension, end):
    path = written(extension, True)
    head, _, _ = path.read_bytes().partition(end)
    pack = zlib.compress if extension == ".mha" else gzip.compress
    lines = [line for line in (head + end).splitlines(True) if not line.startswith(b"CompressedDataSize")]
    path.write_bytes(b"".join(lines) + pack(np.random.default_rng(1).bytes(5000)))
    refused(path, "are missing")


GEOMETRIES = [
    (".nrrd", b"space origin: (", b"space origin: (1e300,0,0)\n#"),
    (".nrrd", b"space origin: (", b"space origin: (nan,0,0)\n#"),
    (".nrrd", b"space directions: ", b"space directions: (1e300,0,0) (0,1,0) (0,0,1)\n#"),
    (".nrrd", b"space directions: ", b"space directions: (1e-200,0,0) (0,1,0) (0,0,1)\n#"),
    (".nrrd", b"space directions: ", b"space directions: (3,0,0) (0,3,0) (3,3,0)\n#"),
    (".nrrd", b"space directions: ", b"space directions: (3,0,0) (0,3,0) (0,0,3000)\n#"),
    (".mha", b"Offset = ", b"Offset = 1e300 0 0\nName ="),
    (".mha", b"Offset = ", b"Offset = inf 0 0\nName ="),
    (".mha", b"ElementSpacing = ", b"ElementSpacing = 1e20 1 1\nName ="),
    (".mha", b"ElementSpacing = ", b"ElementSpacing = 0 1 1\nName ="),
    (".mha", b"TransformMatrix = ", b"TransformMatrix = 1 0 0 1 0 0 0 0 1\nName ="),
    (".mha", b"TransformMatrix = ", b"TransformMatrix = 9 0 0 0 1 0 0 0 1\nName ="),
]


@pytest.mark.parametrize("extension, old, new", GEOMETRIES, ids=range(len(GEOMETRIES)))
def test_impossible_grids_of_text_headers(written, extension, old, new):
    refused(edit(written(extension), old, new))


@pytest.mark.parametrize(
    "offset, code, values, words",
    [
        (108, "f", (2**31,), ["begin at byte"]),
        (108, "f", (float("nan"),), ["begin at byte"]),
        (108, "f", (100,), ["begin at byte"]),
        (108, "f", (352.5,), ["begin at byte"]),
        (70, "h", (9999,), ["data type 9999"]),
        (70, "h", (1,), []),
        (70, "h", (1536,), ["type"]),
        (112, "2f", (1, float("nan")), ["intercept nan"]),
        (112, "2f", (1, float("inf")), ["intercept inf"]),
        (112, "2f", (float("inf"), 0), ["slope inf"]),
        (112, "2f", (0, -1024), ["without a slope"]),
        (112, "2f", (1e30, 0), ["give no HU"]),
        (123, "B", (5,), ["unit of length"]),
        (123, "B", (7,), ["unit of length"]),
        (254, "h", (77,), ["unknown code"]),
        (280, "f", (1e20,), ["mm"]),
        (280, "f", (float("nan"),), []),
        (292, "f", (1e20,), ["origin"]),
        (42, "h", (-5,), ["impossible"]),
        (40, "h", (32767,), ["dimensions"]),
        (42, "3h", (1290, 1290, 1290), ["cannot hold"]),
        (344, "4s", (b"ni1\0",), ["one part"]),
    ],
)
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_absurd_nifti_headers(tmp_path, capfd, extension, offset, code, values, words):
    refused(field(nifti(tmp_path / f"head{extension}", phantom.head_parts()[0]), offset, code, *values), *words)
    assert capfd.readouterr() == ("", "")


def test_voxel_sizes_count_where_nothing_else_gives_the_grid(tmp_path):
    path = nifti(tmp_path / "head.nii", phantom.head_parts()[0])
    field(field(path, 252, "2h", 0, 0), 80, "f", 0.0)
    refused(path, "voxel sizes")
    refused(field(path, 80, "f", 1e20), "mm")


@pytest.mark.parametrize(
    "slope, intercept, expected", [(float("nan"), float("nan"), (1, 0)), (0, 0, (1, 0)), (2, -1024, (2, -1024))]
)
def test_usual_ways_to_say_that_nothing_is_rescaled(tmp_path, slope, intercept, expected):
    path = field(nifti(tmp_path / "head.nii", phantom.head_parts()[0]), 112, "2f", slope, intercept)
    volume = read_volume(path)
    assert (volume.slope, volume.intercept) == expected
    proxy = nibabel.load(path).dataobj
    assert (proxy.slope, proxy.inter) == expected


def test_a_time_unit_that_does_not_exist_is_nobodys_concern(tmp_path):
    path = field(nifti(tmp_path / "head.nii", phantom.head_parts()[0]), 123, "B", 2 | 56)
    assert np.allclose(read_volume(path).geometry.affine(), nibabel.load(path).affine)


@pytest.mark.parametrize(
    "extension, old, new",
    [(".nrrd", b"sizes: 64 80 80", b"sizes: 1290 1290 1290"), (".mha", b"DimSize = 64 80 80", b"DimSize = 1290 1290 1290")],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_four_gigabytes_announced_by_a_small_file(written, extension, old, new, compressed):
    refused(edit(written(extension, compressed), old, new), "cannot hold" if not compressed else "cannot be read")


@pytest.mark.parametrize(
    "extension, end, pack",
    [(".mha", b"LOCAL\n", zlib.compress), (".nrrd", b"\n\n", gzip.compress), (".nii.gz", None, gzip.compress)],
)
def test_a_bomb_is_refused_before_it_has_unpacked(written, extension, end, pack):
    path = written(extension, True)
    if end is None:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1) + pack(bytes(100 * MB)))
    else:
        lines = path.read_bytes().partition(end)[0].splitlines(True) + [end]
        voxels = phantom.head_parts()[0].tobytes()
        path.write_bytes(
            b"".join(line for line in lines if not line.startswith(b"CompressedDataSize")) + pack(voxels + bytes(100 * MB))
        )
    refused(path, "beside the 64 x 80 x 80")


@pytest.mark.parametrize(
    "extension, old, new",
    [(".nrrd", b"sizes: 64 80 80", b"sizes: 64 80 79"), (".mha", b"DimSize = 64 80 80", b"DimSize = 63 80 80")],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_header_that_leaves_a_plane_out_is_refused(written, extension, old, new, compressed):
    refused(edit(written(extension, compressed), old, new), "beside the")


def test_padding_behind_the_voxels_is_none_of_them(written):
    for extension in (".nii", ".nrrd", ".mha"):
        path = written(extension)
        path.write_bytes(path.read_bytes() + bytes(512))
        assert np.array_equal(read_volume(path).stored, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def test_the_memory_warning_comes_before_the_voxels_are_read(written, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    path, said = written(".nii.gz"), []
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="cannot be read"):
        deface_file(path, tmp_path / "out", Options(), warn=said.append)
    assert len(said) == 1 and "GB are free" in said[0]


def face_mask_file(path):
    mask = phantom.image(phantom.head_parts()[1].astype(np.uint8))
    sitk.WriteImage(mask, str(path))
    return str(path)


@pytest.mark.parametrize(
    "extension, before, line",
    [
        (".mha", b"CompressedData", "Comment = Größe\nNotiz = Schädel, 5 µm\n"),
        (".nrrd", b"type: ", "# Größe\nNotiz:=Schädel, 5 µm\n"),
    ],
)
@pytest.mark.parametrize("coding", ["latin-1", "utf-8"])
def test_umlauts_in_a_header_are_read_told_and_kept(written, tmp_path, extension, before, line, coding):
    path = edit(written(extension), before, line.encode(coding) + before)
    volume = read_volume(path)
    assert volume.source.metadata["Notiz"] == "Schädel, 5 µm"
    assert "(Notiz)" in text_warnings(path, volume.source)[0]
    write_like(volume, volume.stored, tmp_path / f"again{extension}")
    again = read_volume(tmp_path / f"again{extension}")
    assert again.source.metadata["Notiz"] == "Schädel, 5 µm" and np.array_equal(again.stored, volume.stored)
    result = deface_file(path, tmp_path / "out", Options(mask=face_mask_file(tmp_path / "m.nii.gz"), mask_only=True))
    assert result.status == "mask only"


SPACES = ["left-posterior-superior", "RAS", "left-anterior-superior", "scanner-xyz"]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "dtype, endian",
    [
        ("short", "little"),
        ("unsigned short", "big"),
        ("float", "little"),
        ("uchar", "little"),
        ("int64", "big"),
        ("double", "big"),
    ],
)
def test_nrrd_is_read_as_itk_reads_it(tmp_path, space, dtype, endian):
    mark = ">" if endian == "big" else "<"
    code = {"short": "i2", "unsigned short": "u2", "float": "f4", "uchar": "u1", "int64": "i8", "double": "f8"}[dtype]
    voxels = np.arange(4 * 5 * 6).reshape(6, 5, 4).astype(mark + code)
    lines = [
        "NRRD0005",
        f"type: {dtype}",
        "dimension: 3",
        f"space: {space}",
        "sizes: 4 5 6",
        "space directions: (0.7,0.1,0) (-0.1,0.7,0) (0,0.2,1.5)",
        "kinds: domain domain domain",
        f"endian: {endian}",
        "encoding: gzip",
        "space origin: (-1.5,2,3)",
        'labels: "a b" "y" "z"',
        "centerings: cell cell node",
        "Key:=two\\nlines",
        "",
        "",
    ]
    path = tmp_path / "a.nrrd"
    path.write_bytes("\n".join(lines).encode() + gzip.compress(voxels.tobytes()))
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    assert np.array_equal(volume.stored, sitk.GetArrayFromImage(image)) and volume.stored.dtype.isnative
    assert np.allclose(volume.geometry.affine(), Geometry.from_image(image).affine())
    for key, value in volume.source.metadata.items():
        assert image.GetMetaData(key) == value
    assert {"Key", "NRRD_labels[0]", "NRRD_centerings[2]", "NRRD_kinds[0]"} <= volume.source.metadata.keys()


@pytest.mark.parametrize(
    "element, code",
    [
        ("MET_SHORT", "i2"),
        ("MET_USHORT", "u2"),
        ("MET_FLOAT", "f4"),
        ("MET_LONG", "i4"),
        ("MET_CHAR", "i1"),
        ("MET_DOUBLE", "f8"),
    ],
)
@pytest.mark.parametrize("big", [True, False])
def test_metaimage_is_read_as_itk_reads_it(tmp_path, element, code, big):
    voxels = np.arange(4 * 5 * 6).reshape(6, 5, 4).astype((">" if big else "<") + code)
    packed = zlib.compress(voxels.tobytes())
    text = (
        f"ObjectType = Image\r\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = {big}\nCompressedData = True\n"
        f"CompressedDataSize = {len(packed)}\n"
        "Rotation = 0 1 0 -1 0 0 0 0 1\nPosition = -1.5 2 3\nElementSpacing: 0.7 0.8 1.5\nDimSize = 4 5 6\n"
        f"Modality = MET_MOD_CT\nNote = free text\nElementType = {element}\nElementDataFile = LOCAL\n"
    )
    path = tmp_path / "a.mha"
    path.write_bytes(text.encode() + packed)
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    assert np.array_equal(volume.stored, sitk.GetArrayFromImage(image)) and volume.stored.dtype.isnative
    assert np.allclose(volume.geometry.affine(), Geometry.from_image(image).affine())
    assert volume.source.metadata["Note"] == image.GetMetaData("Note") == "free text"


@pytest.mark.parametrize(
    "line",
    [
        b"data file: /etc/passwd\n",
        b"byte skip: 100\n",
        b"axis mins: 1 2 3\n",
        b"no colon\n",
        b"type: short\n",
        b"spbce origin: (0,0,0)\n",
    ],
)
def test_nrrd_lines_that_change_what_the_file_means(written, line):
    refused(edit(written(".nrrd"), b"endian", line + b"endian"))


@pytest.mark.parametrize(
    "line", [b"HeaderSize = 7\n", b"ElementNumberOfChannels = 2\n", b"NDims = 3\n", b"no mark\n", b"BinaryData = False\n"]
)
def test_metaimage_lines_that_change_what_the_file_means(written, line):
    path = written(".mha")
    if line.startswith(b"BinaryData"):
        edit(path, b"BinaryData = True\n", b"")
    refused(edit(path, b"AnatomicalOrientation", line + b"AnatomicalOrientation"))


def test_no_header_sends_the_reader_to_another_file(written, tmp_path):
    (tmp_path / "voxels.raw").write_bytes(phantom.head_parts()[0].tobytes())
    refused(edit(written(".mha"), b"ElementDataFile = LOCAL", b"ElementDataFile = voxels.raw"), "another file")


def test_python_input_is_held_to_the_same_grid(head):
    from CTADefaceLib import segment_face
    from CTADefaceLib.face.mask import face_mask
    from CTADefaceLib.network.host import NetworksHere

    for geometry in (
        Geometry((1e5,) * 3, (0, 0, 0), np.eye(3)),
        Geometry((3,) * 3, (float("nan"), 0, 0), np.eye(3)),
        Geometry((3,) * 3, (0, 0, 0), np.zeros((3, 3))),
    ):
        with pytest.raises(InputError, match="image: "):
            segment_face((head.stored, geometry))
        with pytest.raises(InputError, match="volume: "):
            face_mask(Volume(head.stored, geometry), NetworksHere())


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_file_that_the_system_does_not_open(written, monkeypatch, extension):
    import builtins

    path, real = written(extension), builtins.open

    def refuse(name, *arguments, **options):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read_volume(path)
