"""Files in and out: headers kept, nothing half-written, nothing replaced unasked."""

import gzip
import os
import resource
import signal
import subprocess
import sys
import zlib

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.errors import InputError, OutputError
from CTADefaceLib.files.formats import deflate
from CTADefaceLib.files.formats import voxel_bytes as voxels
from CTADefaceLib.files.free_text import kept_text, left_out, text_warnings
from CTADefaceLib.files.publish import publishing
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.storage.temporary import temporary_folder
from CTADefaceLib.files.write import write_like, write_mask
from helpers import phantom
from helpers.nifti_file import nifti


@pytest.fixture(params=["isal", "zlib"])
def packer(request, monkeypatch):
    """With and without the optional package isal."""
    if request.param == "isal":
        pytest.importorskip("isal")
    else:
        monkeypatch.setattr(deflate, "isal_zlib", None)
        monkeypatch.setattr(deflate, "crc32", zlib.crc32)


@pytest.fixture
def array():
    return phantom.head_parts()[0][::4, ::4, ::4]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", "<u2"])
def test_nifti_comes_back_bit_identical_with_its_header(tmp_path, array, name, dtype):
    stored = (array + 1024) // 2
    source = nifti(tmp_path / name, stored, dtype, slope=2, intercept=-1024)
    volume = read_volume(source)
    assert np.array_equal(volume.to_hu(volume.stored), stored * 2 - 1024)
    target = tmp_path / ("out_" + name)
    write_like(volume, volume.stored, target)
    unpack = gzip.decompress if name.endswith(".gz") else bytes
    before, after = (unpack(p.read_bytes()) for p in (source, target))
    assert before == after


def test_nifti_mask_keeps_geometry_codes_and_drops_scaling(tmp_path, array):
    volume = read_volume(nifti(tmp_path / "a.nii.gz", array, slope=2, intercept=-1024))
    mask = array > 0
    write_mask(volume, mask, tmp_path / "m.nii.gz")
    image, original = nibabel.load(tmp_path / "m.nii.gz"), nibabel.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asanyarray(image.dataobj).T, mask)
    for key in ("qform_code", "sform_code", "xyzt_units", "srow_x", "quatern_d", "pixdim"):
        assert np.array_equal(image.header[key], original.header[key])


@pytest.mark.parametrize("unit, mm", [("meter", 1000.0), ("micron", 0.001), ("unknown", 1.0)])
def test_nifti_in_other_units_is_as_large_as_itk_reads_it(tmp_path, array, unit, mm):
    image = nibabel.load(nifti(tmp_path / "mm.nii", array))
    image.header.set_xyzt_units(unit)
    matrix = np.diag([1 / mm] * 3 + [1]) @ image.affine
    image.set_sform(matrix, 4)
    image.set_qform(matrix, 2)
    nibabel.save(image, tmp_path / "other.nii")
    volume = read_volume(tmp_path / "other.nii")
    assert np.allclose(volume.geometry.affine(), read_volume(tmp_path / "mm.nii").geometry.affine(), atol=1e-3)
    assert np.allclose(volume.geometry.spacing, sitk.ReadImage(str(tmp_path / "other.nii")).GetSpacing(), atol=1e-4)
    write_mask(volume, array > 0, tmp_path / "mask.nii")
    assert read_volume(tmp_path / "mask.nii").geometry.matches(volume.geometry)


@pytest.mark.parametrize("extension", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
def test_itk_formats_keep_type_geometry_metadata_and_compression(tmp_path, extension, compressed):
    scan = phantom.image(phantom.head_parts()[0], "PIR", rotation_deg=12)
    scan.SetMetaData("Note", "kept")
    source, target = tmp_path / ("a" + extension), tmp_path / ("b" + extension)
    sitk.WriteImage(scan, str(source), compressed)
    volume = read_volume(source)
    write_like(volume, volume.stored, target)
    again = sitk.ReadImage(str(target))
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(scan))
    assert again.GetPixelID() == scan.GetPixelID()
    assert np.allclose(again.GetDirection(), scan.GetDirection()) and np.allclose(again.GetOrigin(), scan.GetOrigin())
    assert again.GetMetaData("Note") == "kept"
    assert abs(target.stat().st_size - source.stat().st_size) < 0.1 * source.stat().st_size


def test_publishing_leaves_nothing_behind_on_failure(tmp_path):
    target = tmp_path / "a.nii"
    with pytest.raises(RuntimeError), publishing([target]) as (staged,):
        staged.write_bytes(b"half")
        raise RuntimeError("fault in the middle")
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_replaced_only_when_told(tmp_path):
    target = tmp_path / "a.nii"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"), publishing([target]) as (staged,):
        staged.write_bytes(b"new")
    assert target.read_bytes() == b"precious"
    with publishing([target], overwrite=True) as (staged,):
        staged.write_bytes(b"new")
    assert target.read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_a_file_that_appears_meanwhile_is_not_replaced_and_its_twin_is_withdrawn(tmp_path):
    first, second = tmp_path / "a.nii", tmp_path / "b.nii"
    with pytest.raises(OutputError, match=r"b\.nii: exists already"), publishing([first, second]) as staged:
        for path in staged:
            path.write_bytes(b"new")
        second.write_bytes(b"somebody else's")
    assert second.read_bytes() == b"somebody else's"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.nii"]


def test_without_hard_links_the_rename_still_refuses(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    target = tmp_path / "a.nii"
    with publishing([target]) as (staged,):
        staged.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    with pytest.raises(OutputError, match="exists already"), publishing([tmp_path / "c.nii", target]) as staged:
        for path in staged:
            path.write_bytes(b"newer")


def test_full_disk_gives_one_sentence_and_no_files(tmp_path, array):
    """The kernel's own file size limit stands in for a full disk: the write really fails."""
    volume = read_volume(nifti(tmp_path / "a.nii", array))
    folder = tmp_path / "out"
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(OutputError, match="cannot be written"), publishing([folder / "b.nii"]) as (staged,):
            write_like(volume, volume.stored, staged)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old_handler)
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"), publishing([tmp_path / "file" / "a.nii"]):
        pass


def test_reading_and_writing_leave_the_input_untouched(tmp_path, array):
    source = nifti(tmp_path / "a.nii", array)
    before = source.read_bytes()
    os.utime(source, (1, 1))
    volume = read_volume(source)
    volume.stored[:] = 7
    assert source.read_bytes() == before and source.stat().st_mtime == 1


def test_compressed_blocks_are_one_gzip_stream_for_any_reader(tmp_path, packer):
    stored = np.random.default_rng(2).integers(-1000, 1000, (90, 200, 150)).astype("<i2")
    volume = read_volume(nifti(tmp_path / "a.nii", stored))
    write_like(volume, volume.stored, tmp_path / "b.nii.gz")
    with gzip.open(tmp_path / "b.nii.gz") as stream:
        assert stream.read() == (tmp_path / "a.nii").read_bytes()
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "b.nii.gz"))), stored)
    assert np.array_equal(np.asanyarray(nibabel.load(tmp_path / "b.nii.gz").dataobj).T, stored)


def test_one_gzip_member_holds_noise_constant_planes_and_a_mask(tmp_path, packer):
    """One member, which browsers insist on, whatever is packed how; repeated blocks are packed once."""
    stored = np.zeros((120, 256, 256), "<i2")
    stored[40:80] = np.random.default_rng(3).integers(-1000, 1000, (40, 256, 256))
    volume = read_volume(nifti(tmp_path / "a.nii", stored))
    write_like(volume, volume.stored, tmp_path / "b.nii.gz")
    write_mask(volume, stored != 0, tmp_path / "m.nii.gz")
    for name, content in (("b.nii.gz", stored), ("m.nii.gz", (stored != 0).astype(np.uint8))):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert member.decompress((tmp_path / name).read_bytes())[352:] == content.tobytes()
        assert member.eof and not member.unused_data


def several_members(data):
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + bytes(512)


def test_gzip_of_several_members_and_padding_is_read(tmp_path, array, packer):
    plain = nifti(tmp_path / "a.nii", array)
    (tmp_path / "b.nii.gz").write_bytes(several_members(plain.read_bytes()))
    assert np.array_equal(read_volume(tmp_path / "b.nii.gz").stored, array)


def test_zeros_that_go_on_into_the_next_block_are_padding_too(tmp_path, array, packer, monkeypatch):
    plain = nifti(tmp_path / "a.nii", array)
    (tmp_path / "b.nii.gz").write_bytes(several_members(plain.read_bytes()) + bytes(5000))
    monkeypatch.setattr(voxels, "READ_BYTES", 1000)
    assert np.array_equal(read_volume(tmp_path / "b.nii.gz").stored, array)


@pytest.mark.parametrize("extension", ["mha", "nrrd"])
def test_dicom_tags_in_a_header_are_not_written_and_other_text_is_told(tmp_path, extension):
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6), np.int16))
    forms = ("0010|0010", "DICOM_0010_0020", "DICOM_0010_0010_PatientName", "DICOM_0008_1111_0_0010_0010", "DICOM.0010.0010")
    for key in (*forms, "comment"):
        image.SetMetaData(key, "Secret^Jane")
    source = tmp_path / f"a.{extension}"
    sitk.WriteImage(image, str(source))
    volume = read_volume(source)
    warning = f"{source}: the header's text is kept (comment); make sure that it names nobody."
    assert text_warnings(source, volume.source) == [warning]
    write_like(volume, volume.stored, tmp_path / f"b.{extension}")
    write_mask(volume, volume.stored == 0, tmp_path / f"m.{extension}")
    assert [(tmp_path / f"{name}.{extension}").read_bytes().count(b"Secret") for name in "bm"] == [1, 0]


# By the definitions of nifti1.h and nifti2.h: {name of a field: (its first byte, its bytes)}.
TEXTS = {
    348: {"data_type": (4, 10), "db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24), "intent_name": (328, 16)},
    540: {"descrip": (240, 80), "aux_file": (320, 24), "intent_name": (508, 16), "unused_str": (525, 15)},
}


@pytest.mark.parametrize("size, field", [(size, field) for size in TEXTS for field in TEXTS[size]])
def test_every_text_that_the_nifti_formats_have_is_told_and_not_in_the_mask(tmp_path, array, size, field):
    kind = nibabel.Nifti1Image if size == 348 else nibabel.Nifti2Image
    nibabel.save(kind(array, np.eye(4)), tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    start, length = TEXTS[size][field]
    # Behind a zero, where programs that show the header end.
    content[start : start + length] = b"\0" * (length - 4) + b"Jane"
    (tmp_path / "a.nii").write_bytes(content)
    volume = read_volume(tmp_path / "a.nii")
    assert kept_text(volume.source) == [field] and f"({field})" in text_warnings("a.nii", volume.source)[0]
    write_like(volume, volume.stored, tmp_path / "b.nii")
    write_mask(volume, array > 0, tmp_path / "m.nii")
    assert [(tmp_path / name).read_bytes().count(b"Jane") for name in ("b.nii", "m.nii")] == [1, 0]


def test_text_of_a_nifti_header_is_told_and_not_in_the_mask(tmp_path, array):
    volume = read_volume(nifti(tmp_path / "a.nii", array))
    assert kept_text(volume.source) == ["descrip", "aux_file"]
    write_mask(volume, array > 0, tmp_path / "m.nii")
    assert b"scanner" not in (tmp_path / "m.nii").read_bytes()
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "p.nii")
    assert text_warnings("p.nii", read_volume(tmp_path / "p.nii").source) == []


@pytest.mark.parametrize("size", TEXTS)
@pytest.mark.parametrize("how", ["an extension", "bytes that no extension explains"])
def test_a_head_between_header_and_voxels_of_a_nifti_file_is_not_written_again(tmp_path, array, size, how):
    kind = nibabel.Nifti1Image if size == 348 else nibabel.Nifti2Image
    image = kind(array, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", array.tobytes()))
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[size] = how == "an extension"
    (tmp_path / "a.nii").write_bytes(content)
    volume = read_volume(tmp_path / "a.nii")
    assert kept_text(volume.source) == [] and left_out(volume.source) == ["extensions"]
    assert "left out (extensions)" in text_warnings("a.nii", volume.source)[0]
    write_like(volume, volume.stored, tmp_path / "b.nii")
    written = (tmp_path / "b.nii").read_bytes()
    assert len(written) == size + 4 + array.nbytes and not any(written[size : size + 4])
    again = read_volume(tmp_path / "b.nii")
    assert np.array_equal(again.stored, volume.stored) and again.geometry.matches(volume.geometry)


@pytest.mark.parametrize("extension", ["mha", "nrrd"])
def test_text_that_is_long_enough_for_a_head_is_not_written_again(tmp_path, extension):
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6), np.int16))
    own = {"ITK_InputFilterName": "NrrdImageIO", "Modality": "MET_MOD_CT"}
    texts = {"short": "seen", "long": "QUJD" * 900, "ITK_FileNotes": "Jane", "ITK_sform_corrected": "Jane", **own}
    for key, text in texts.items():
        image.SetMetaData(key, text)
    source, again = tmp_path / f"a.{extension}", tmp_path / f"b.{extension}"
    sitk.WriteImage(image, str(source))
    volume = read_volume(source)
    assert sorted(kept_text(volume.source)) == ["ITK_FileNotes", "ITK_sform_corrected", "short"]
    assert left_out(volume.source) == ["long"]
    write_like(volume, volume.stored, again)
    assert [again.read_bytes().count(word) for word in (b"seen", b"QUJD")] == [1, 0]
    # Nor in many pieces.
    for number in range(100):
        image.SetMetaData(f"piece{number}", "QUJD" * 20)
    sitk.WriteImage(image, str(source))
    volume = read_volume(source)
    assert kept_text(volume.source) == [] and left_out(volume.source)[-1] == "others"
    write_like(volume, volume.stored, again)
    assert not [word for word in (b"seen", b"QUJD") if word in again.read_bytes()]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-4], lambda data: data[: len(data) // 2], lambda data: data[:-8] + bytes(8)]
)
def test_gzip_that_is_cut_or_has_a_wrong_checksum_is_refused(tmp_path, array, damage, packer):
    whole = nifti(tmp_path / "a.nii.gz", array)
    (tmp_path / "b.nii.gz").write_bytes(damage(whole.read_bytes()))
    with pytest.raises(InputError, match="truncated"):
        read_volume(tmp_path / "b.nii.gz")


def test_temporary_folder_is_the_owners_and_goes_with_what_is_in_it(tmp_path):
    with pytest.raises(KeyError), temporary_folder(tmp_path, ".a-") as folder:
        assert folder.parent == tmp_path and folder.name.startswith(".a-") and folder.stat().st_mode & 0o077 == 0
        (folder / "b").write_text("c")
        raise KeyError
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError), temporary_folder(tmp_path / "absent", ".a-"):
        pass


def test_while_nibabel_is_imported_only_this_thread_has_no_pydicom(tmp_path):
    # In nibabel's place, what tells who can import pydicom meanwhile.
    (tmp_path / "nibabel.py").write_text("""
import threading
def look(who):
    try:
        print(who, __import__("pydicom").__name__)
    except ImportError:
        print(who, None)
look("this")
thread = threading.Thread(target=look, args=["other"])
thread.start(), thread.join()
""")
    code = (
        "import sys; finders = list(sys.meta_path); sys.path.insert(0, sys.argv[1])\n"
        "from CTADefaceLib.files.formats.nifti import _nibabel\n"
        "_nibabel(); print('pydicom' in sys.modules, sys.meta_path == finders)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert done.stdout.split("\n")[:3] == ["this None", "other pydicom", "True True"], done.stderr
