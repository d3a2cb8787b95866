"""Wheel, sdist and container: built, checked, installed away from the repository, and run there without a network."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import SimpleITK as sitk

import CTADefaceLib
from helpers.containerfile import last, stages_of
from helpers.documents import REPOSITORY
from helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTAINER = ROOT / "docs" / "Containerfile"
BUILD, FINAL = stages_of(CONTAINER)
RUN = [text for name, text in FINAL if name == "RUN"]
# A network that is not there.
OFFLINE = """
import socket, sys
from importlib.metadata import distribution

def refuse(*arguments, **options):
    raise OSError("no network in this test")

socket.socket.connect = socket.getaddrinfo = refuse
name = sys.argv.pop(1)
[script] = [point for point in distribution("cta-deface").entry_points if point.name == name]
script.load()()
"""


def run(*words, **how):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist), the wheel made of what is in the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def clean(built, tmp_path_factory):
    """Folder of a virtual environment with the wheel, and with what it needs from the environment of the tests."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python" if sys.platform != "win32" else folder / "Scripts" / "python.exe"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", built[0])
    site = next(folder.rglob("site-packages"))
    # Found after the wheel's own files; .pth files over there, as that of an editable installation, are not read.
    (site / "needs.pth").write_text(str(Path(sitk.__file__).parents[1]) + "\n")
    return folder


def command(clean, name, *words, **variables):
    """What a command of the wheel prints, run outside of the repository."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CTADEFACE"))}
    return run(next(path for path in clean.glob("*/*") if path.stem == name), *words, cwd=clean, env=environment | variables)


def headers_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_the_index_would_take_both(built):
    said = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *built)
    assert said.count("PASSED") == 2


def test_metadata_are_complete(built):
    headers = headers_of(built[0])
    assert headers["Version"] == CTADefaceLib.__version__ and headers["License-Expression"] == "Apache-2.0"
    assert all(headers[name] for name in ("Summary", "Author", "Keywords", "Requires-Python", "License-File"))
    labels = {line.split(", ")[0] for line in headers.get_all("Project-URL")}
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= labels
    from trove_classifiers import classifiers

    assert set(headers.get_all("Classifier")) <= classifiers
    assert set(headers.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])


def test_the_index_page_needs_no_repository_around_it(built):
    text = headers_of(built[0]).get_payload()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20 and all(link.startswith(("https://", "#")) for link in links)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures and all(link.startswith("https://raw.githubusercontent.com/") for link in pictures)
    ours = [link.removeprefix(f"{REPOSITORY}/blob/main/").partition("#")[0] for link in links if link.startswith(REPOSITORY)]
    assert ours and all((ROOT / path).exists() for path in ours)


def test_the_wheel_brings_weights_atlas_and_figures(built):
    with zipfile.ZipFile(built[0]) as archive:
        for inside, here in {
            "Model/head-3mm/fold_all/checkpoint_final.pth": "Model/head-3mm/fold_all/checkpoint_final.pth",
            "Model/head-3mm/plans.json": "Model/head-3mm/plans.json",
            "Atlas/head.npz": "Atlas/head.npz",
            "identity.json": "identity.json",
            "validation.json": "validation.json",
        }.items():
            assert archive.read(f"CTADefaceLib/{inside}") == (ROOT / "CTADeface" / "Resources" / here).read_bytes()
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"CTADefaceLib", f"cta_deface-{CTADefaceLib.__version__}.dist-info"}


def test_the_sdist_holds_what_is_asked_for(built):
    wanted = {".gitignore", "CTADeface", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "docs", "Resources"}
    with tarfile.open(built[1]) as archive:
        assert {name.split("/")[1] for name in archive.getnames()} == wanted | {"pyproject.toml", "PKG-INFO"}


def test_the_wheel_works_where_nothing_else_of_ours_is(clean):
    for name in ("cta-deface", "cta-deface-bids"):
        assert command(clean, name, "--version").strip() == CTADefaceLib.__version__
    assert "head-3mm" in command(clean, "cta-deface", "models", "list")
    found = command(clean, "python", "-c", "import CTADefaceLib; print(CTADefaceLib.__file__)")
    assert str(clean) in found


def test_the_container_takes_files_that_are_there():
    copied = [path for stage in (BUILD, FINAL) for name, words in stage if name == "COPY" for path in words[:-1]]
    ours = [path for path in copied if not path.startswith(("/", "--"))]
    assert ours and all((ROOT / path).exists() for path in ours)
    if (ROOT / ".git").exists():
        listed = run("git", "ls-files", *ours, cwd=ROOT).splitlines()
        assert all(any(line == path or line.startswith(f"{path}/") for line in listed) for path in ours)


def test_the_container_builds_the_wheel_of_what_it_copies(tmp_path, built):
    (tmp_path / "src").mkdir()
    for name, words in BUILD:
        if name == "COPY":
            for path in words[:-1]:
                copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
                copy(ROOT / path, tmp_path / "src" / Path(path).name)
        elif name == "RUN":
            assert words.startswith("pip wheel ")
            words = words.replace("/wheels", str(tmp_path / "wheels"))
            run("sh", "-c", f'"{sys.executable}" -m {words} --no-build-isolation', cwd=tmp_path / "src")
    [wheel] = (tmp_path / "wheels").iterdir()
    assert wheel.name == built[0].name
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(built[0]) as its:
        assert sorted(ours.namelist()) == sorted(its.namelist())
    # The last stage installs it with extras that it has.
    [install] = [line for line in RUN if ".whl" in line]
    shutil.copy(ROOT / "Testing" / "constraints.txt", tmp_path / "wheels")
    words = install.replace("/wheels", str(tmp_path / "wheels")).replace("pip install", "pip install --dry-run --no-deps", 1)
    said = run("sh", "-c", f'"{sys.executable}" -m {words} --no-index --ignore-installed')
    assert f"Would install cta-deface-{CTADefaceLib.__version__}" in said
    [extras] = re.findall(r"\[(.+)\]", install)
    assert set(extras.split(",")) <= set(headers_of(wheel).get_all("Provides-Extra"))


def test_the_container_is_small_and_its_user_is_not_root():
    for line in RUN:
        run("sh", "-n", "-c", line)
    assert all(
        re.fullmatch(r"docker\.io/library/python:3\.\d+-slim( AS build)?", last(stage, "FROM")) for stage in (BUILD, FINAL)
    )
    [torch] = [line for line in RUN if " torch " in line]
    assert "https://download.pytorch.org/whl/cpu" in torch
    assert RUN.index(torch) < next(number for number, line in enumerate(RUN) if ".whl" in line)
    [apt] = [line for line in RUN if "apt-get" in line]
    [libraries] = re.findall(r'^libraries="([^$"]+)"$', (ROOT / "Testing" / "setup.sh").read_text(), re.MULTILINE)
    assert f"--no-install-recommends {libraries} &&" in apt
    user, _, _group = last(FINAL, "USER").partition(":")
    assert int(user) > 0
    assert [name for name, _ in FINAL].index("USER") > max(n for n, (name, _) in enumerate(FINAL) if name in ("RUN", "COPY"))


def test_the_container_defaces_without_a_network(clean, small_cranium, tmp_path):
    """Its own command in its own environment, with folders here in the place of /in, /out and /hospital."""
    (tmp_path / "in").mkdir()
    sitk.WriteImage(small_cranium, str(tmp_path / "in" / "head.nii.gz"))
    [entry], words = last(FINAL, "ENTRYPOINT"), last(FINAL, "CMD")
    words = [f"{tmp_path}{word}" if word.startswith("/") else word for word in words]
    variables = dict(text.split("=", 1) for name, text in FINAL if name == "ENV")
    done = command(clean, "python", "-c", OFFLINE, entry, *words, "--json", "--quiet", **variables)
    summary = json.loads(done.splitlines()[-1])["summary"]
    assert summary["complete"] and summary["by_status"] == {"defaced": 1}
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["case-0001_defaced.nii.gz"]
    kept = {path.name for path in (tmp_path / "hospital").iterdir()}
    assert {"batch.jsonl", "case-0001_facemask.nii.gz", "case-0001_record.json"} <= kept
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out", "hospital"}
