"""The public head CT: the real download once, the cache, and payloads that are refused."""

import io
import shutil
import tarfile

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.errors import Cancelled, InputError, OutputError
from CTADefaceLib.files import public_head as demo
from CTADefaceLib.progress import Progress

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get to fetch the head CT")


def tar_bytes(name, content, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def project_of(voxels):
    """An InVesalius project that stores ``voxels`` (z, y, x; axes S, A, R) as InVesalius does."""
    return tar_bytes("tmp/matrix.dat", voxels[:, :, ::-1].tobytes())


@pytest.fixture(autouse=True)
def not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "INSTALLED", tmp_path / "not installed")


@pytest.fixture
def no_programs(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"a program was run: {args}")

    monkeypatch.setattr(demo.subprocess, "run", refuse)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """The head CT, really fetched with apt-get."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "INSTALLED", folder / "not installed")
        path = demo.public_head(folder / "new")
    return path


@needs_apt
def test_fetched_head_is_the_known_one(fetched):
    assert [p.name for p in fetched.parent.iterdir()] == [demo.FILE_NAME]
    image = sitk.ReadImage(str(fetched))
    voxels = sitk.GetArrayFromImage(image)
    assert voxels.dtype == np.int16 and voxels.shape == demo.SHAPE
    assert demo._sha256(voxels) == demo.VOXELS_SHA256
    assert np.allclose(image.GetSpacing(), demo.SPACING_MM)
    assert image.GetDirection() == (-1, 0, 0, 0, -1, 0, 0, 0, 1)


@needs_apt
def test_fetched_head_lies_as_its_axes_say(fetched):
    body = sitk.GetArrayFromImage(sitk.ReadImage(str(fetched))) > -300
    assert body[-1].sum() < body[0].sum() / 2  # vertex at the top, upper lip at the bottom
    middle = body[20:40, :, 118:122].any((0, 2))  # the height of the nose, near the median plane
    side = body[20:40, :, 80:84].any((0, 2))
    assert np.flatnonzero(middle)[-1] > np.flatnonzero(side)[-1] + 10  # rows count towards the nose


@needs_apt
def test_second_call_takes_the_cache(fetched, no_programs):
    written = fetched.stat().st_mtime_ns
    assert demo.public_head(fetched.parent) == fetched
    assert fetched.stat().st_mtime_ns == written


@needs_apt
def test_damaged_cache_is_replaced(fetched, monkeypatch, tmp_path, no_programs):
    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(fetched)))
    demo.INSTALLED.write_bytes(project_of(voxels))
    (tmp_path / demo.FILE_NAME).write_bytes(b"damaged")
    path = demo.public_head(tmp_path)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), voxels)


@needs_apt
def test_one_changed_voxel_is_refused(fetched):
    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(fetched)))
    assert np.array_equal(demo.voxels_of_project(project_of(voxels)), voxels)
    voxels[50, 100, 100] += 1
    with pytest.raises(InputError, match="not the known one"):
        demo.voxels_of_project(project_of(voxels))


@pytest.mark.parametrize(
    "project, reason",
    [
        (project_of(np.zeros(demo.SHAPE, np.int16)), "not the known one"),
        (project_of(np.zeros((2, 3, 4), np.int16)), "not the known one"),
        (project_of(np.random.default_rng(0).integers(0, 999, (9, 99, 99), np.int16))[:50000], "damaged"),
        (tar_bytes("tmp/other.dat", b"12"), "no file matrix.dat"),
        (b"no archive at all", "damaged"),
    ],
)
def test_corrupted_project_is_refused_and_nothing_written(project, reason, tmp_path, no_programs):
    demo.INSTALLED.write_bytes(project)
    with pytest.raises(InputError, match=reason):
        demo.public_head(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_without_apt_the_remedy_is_named(monkeypatch, tmp_path, no_programs):
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="apt-get, which is not here; pass any head CT"):
        demo.public_head(tmp_path)


@pytest.mark.parametrize(
    "user, expected", [(0, ["apt-get download", "apt-get update", "apt-get download"]), (1000, ["apt-get download"])]
)
def test_package_lists_are_updated_once_and_only_by_root(monkeypatch, tmp_path, user, expected):
    commands = []

    class Failed:
        returncode, stdout, stderr = 100, b"", b"E: Unable to locate package"

    def run(command, **options):
        commands.append(" ".join(command[:2]))
        done = Failed()
        done.returncode = 0 if command[1] == "update" else 100
        return done

    monkeypatch.setattr(demo.shutil, "which", lambda name: name)
    monkeypatch.setattr(demo.os, "geteuid", lambda: user, raising=False)
    monkeypatch.setattr(demo.subprocess, "run", run)
    with pytest.raises(InputError, match="Unable to locate package"):
        demo.public_head(tmp_path)
    assert commands == expected


def test_cancelling_before_the_download_runs_nothing(tmp_path, no_programs):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        demo.public_head(tmp_path / "cache", progress)
    assert not (tmp_path / "cache").exists()


@needs_apt
def test_unwritable_cache_is_an_output_error(fetched, tmp_path):
    demo.INSTALLED.write_bytes(project_of(sitk.GetArrayFromImage(sitk.ReadImage(str(fetched)))))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="CTADEFACE_CACHE"):
        demo.public_head(tmp_path / "file" / "cache")


def test_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("CTADEFACE_CACHE", str(tmp_path))
    assert demo.cache_folder() == tmp_path
    monkeypatch.delenv("CTADEFACE_CACHE")
    assert demo.cache_folder().name == "ctadeface" and demo.cache_folder().is_absolute()
