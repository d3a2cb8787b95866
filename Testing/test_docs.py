"""README and docs/: every example is run, or at least understood by the program that it calls; every link leads somewhere.

What runs here runs on the small public head with the real command; the network is asked once for each volume, and its answer
is kept. The tutorial of Slicer is run by ``slicer_module/test_tutorial.py``.
"""

import ast
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
import yaml

from CTADefaceLib import __version__
from CTADefaceLib.checks.check import TITLES
from CTADefaceLib.cli import bids_app
from CTADefaceLib.cli.main import build_parser, main
from helpers.containerfile import stages_of
from helpers.documents import anchors, blocks, commands, documents, inline, links, name_of, prose, text_of
from helpers.paths import ENGINE, ROOT

README, PAGES = ROOT / "README.md", sorted((ROOT / "docs").glob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = [(path, words) for path in documents() for words in commands(path)]
# Slicer's examples are run by slicer_module/test_tutorial.py.
PYTHON = {path: found for path in documents() if (found := blocks(path, "python")) and path.name != "tutorial-slicer.md"}
# Why a command is read by the real parser, and not run here: first words, or an option.
TOO_HEAVY = {
    "train run": "trains for minutes",
    "validate": "computes for hours",
    "node": "runs until it is stopped; node/test_node_faults.py runs it",
    "send": "needs a DICOM node; dicom/transfer/test_sending.py has one",
    "identity": "needs optional packages, half a minute",
    "--scheduler": "needs a cluster; batch/test_batch_cluster.py has one",
}
# Packages of clusters that the tests do not have.
ELSEWHERE = {"dask_jobqueue", "dask_kubernetes"}


def heavy(words):
    return next((why for what, why in TOO_HEAVY.items() if " ".join(words[1:]).startswith(what) or what in words), None)


def parsed(words):
    """The arguments of one of our commands, as the command itself reads them."""
    parser = {"cta-deface": build_parser, "cta-deface-bids": bids_app.build_parser}[words[0]]()
    try:
        return parser.parse_args(words[1:])
    except SystemExit:
        pytest.fail(f"{' '.join(words)}: is not understood")


def called(tree):
    """The commands that a piece of Python calls as lists of words; what is no constant becomes a word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List) and node.elts and getattr(node.elts[0], "value", None) == "cta-deface":
            yield [str(getattr(word, "value", "word")) if isinstance(word, ast.Constant) else "word" for word in node.elts]


def options_in(words):
    return [word.partition("=")[0] for word in words if word.startswith("--")]


@pytest.mark.parametrize("path, words", COMMANDS, ids=[f"{name_of(path)}: {' '.join(words)}" for path, words in COMMANDS])
def test_commands_are_understood(path, words):
    program, *rest = words
    if program in ("cta-deface", "cta-deface-bids"):
        parsed(words)
    elif program == "pip":
        understood_by_pip(rest)
    elif program in ("bash", "python"):
        script = ROOT / rest[0]
        assert script.is_file()
        if program == "bash":
            subprocess.run(["bash", "-n", script], check=True)
        known = text_of(script) + text_of(ROOT / "Testing" / "benchmarks" / "common.py")
        assert all(f'"{option}"' in known for option in options_in(rest))
    elif program == "dask":
        understood_by_dask(rest)
    elif program == "PythonSlicer":
        if rest[0] == "-c":
            understood_by_the_library(rest)
            return
        assert rest[:3] == ["-m", "pip", "wheel"]
        assert all((ROOT / name).is_file() for flag, name in pairwise(rest) if flag == "-r")
    elif program in ("podman", "docker"):
        understood_by_containers(rest)
    elif program == "mkdocs":
        assert rest[:3] == ["build", "--strict", "-f"] and (ROOT / rest[3]).is_file()
    else:
        assert program == "pre-commit" and (ROOT / ".pre-commit-config.yaml").is_file()


def understood_by_the_library(words):
    """``-c CODE`` with the words of a command: the code runs the command out of FOLDER, whatever PYTHONPATH says."""
    code = words[1].replace("FOLDER", str(ENGINE))
    assert code != words[1] and parsed(["cta-deface", *words[2:]])
    process = subprocess.run([sys.executable, "-I", "-c", code, "--version"], capture_output=True, text=True)
    assert (process.returncode, process.stdout.strip()) == (0, __version__), process.stderr


def understood_by_pip(words):
    assert words[0] == "install"
    ours = PROJECT["optional-dependencies"]
    pinned = dict(text.split("==") for texts in ours.values() for text in texts if "==" in text)
    for word in words[1:]:
        if extra := re.fullmatch(r"\.\[(.+)\]", word):
            assert set(extra[1].split(",")) <= set(ours)
        if "==" in word:
            name, version = word.split("==")
            assert pinned.get(name, version) == version


def understood_by_containers(words):
    """``build`` of a file that is there, or ``run`` of the image of docs/Containerfile with words that its commands know."""
    if words[0] == "build":
        assert (ROOT / words[words.index("-f") + 1]).is_file() and words[-1] == "."
        return
    assert words[0] == "run"
    own = dict(stages_of(ROOT / "docs" / "Containerfile")[-1])
    before, given = words[: words.index("cta-deface", 1)], words[words.index("cta-deface", 1) + 1 :]
    entry = [before[before.index("--entrypoint") + 1]] if "--entrypoint" in before else own["ENTRYPOINT"]
    assert parsed([*entry, *(given or own["CMD"])])


def understood_by_dask(words):
    found = importlib.util.find_spec("distributed")
    if found is None:
        pytest.skip("needs the extra cluster")
    from distributed.cli.dask_scheduler import main as scheduler
    from distributed.cli.dask_worker import main as worker

    known = {option for parameter in {"scheduler": scheduler, "worker": worker}[words[0]].params for option in parameter.opts}
    assert set(options_in(words)) <= known


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_commands_and_options_named_in_the_text_exist(path):
    subcommands = build_parser()._subparsers._group_actions[0].choices
    for code in inline(path):
        words = code.split()
        if words[0] == "cta-deface" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in subcommands, code
            known = subcommands[words[1]].format_help()
            assert all(option in known for option in options_in(words)), code


@pytest.fixture(scope="module")
def answers():
    """The real network's answers, by what it was asked."""
    from CTADefaceLib.network.inference import Network

    ask, known = Network.log_odds, {}

    def log_odds(self, data, *arguments, **options):
        options.pop("progress", None)
        weights = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.info.checkpoints]
        key = str((weights, data.shape, hashlib.sha256(data.tobytes()).hexdigest(), arguments[:3], options))
        if key not in known:
            known[key] = ask(self, data, *arguments, **options)
        return known[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "log_odds", log_odds)
        yield


@pytest.fixture(scope="module")
def networks():
    from CTADefaceLib.network.host import NetworksHere

    return NetworksHere()


@pytest.fixture(scope="module")
def examples(small_cranium, answers, tmp_path_factory):
    """A folder with all files that the examples read."""
    import SimpleITK as sitk

    from CTADefaceLib import segment_face
    from helpers import dicom_maker as maker

    folder = tmp_path_factory.mktemp("examples")
    # Just within one patch of the network instead of four.
    scan = small_cranium[2:-2, 2:-2, :]
    mask = segment_face(scan)
    for name in ("IN/head.nii.gz", "head.nii.gz", "head.nrrd", "other.nrrd"):
        (folder / name).parent.mkdir(exist_ok=True)
        sitk.WriteImage(scan, str(folder / name), True)
    # What the examples keep lies deep in the head.
    orbit = sitk.Image(scan.GetSize(), sitk.sitkUInt8)
    orbit.CopyInformation(scan)
    middle = [n // 2 for n in scan.GetSize()]
    orbit[tuple(slice(n, n + 4) for n in middle)] = 1
    sitk.WriteImage(orbit, str(folder / "orbit.nii.gz"), True)
    for name in ("corrected_mask.nii.gz", "hospital-only/masks/head_facemask.nii.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(mask, str(folder / name), True)
    maker.write_study_of(scan, folder / "STUDY")
    write_models(folder)
    return folder


def write_models(folder):
    """The bundled model as a model of others: a trainer's folder, and a results tree in a zip."""
    from CTADefaceLib.models.store import find_model

    bundled = find_model().folder
    shutil.copytree(bundled, folder / "model")
    tree = folder / "tree" / "Dataset001_DEFACE" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    shutil.copytree(bundled, tree)
    plans = json.loads((tree / "plans.json").read_text(encoding="utf-8"))
    (tree / "plans.json").write_text(json.dumps(plans | {"dataset_name": "Dataset001_DEFACE"}), encoding="utf-8")
    shutil.make_archive(str(folder / "Dataset001_DEFACE"), "zip", folder / "tree")
    shutil.rmtree(folder / "tree")


@pytest.fixture
def fresh(examples, tmp_path, monkeypatch):
    """A function that goes to the examples' folder, where only they are left; models are installed for each test anew."""
    monkeypatch.setenv("CTADEFACE_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(examples)
    given = {
        "IN",
        "STUDY",
        "model",
        "hospital-only",
        "Dataset001_DEFACE.zip",
        "head.nii.gz",
        "head.nrrd",
        "other.nrrd",
        "corrected_mask.nii.gz",
        "orbit.nii.gz",
    }

    def clean():
        for path in examples.iterdir():
            if path.name not in given:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return clean


def run_once():
    """Document -> its ``cta-deface`` commands that can be run here; one that several documents show stands at the first."""
    found, seen = {}, []
    for path, words in COMMANDS:
        if words[0] == "cta-deface" and not heavy(words) and words not in seen:
            seen.append(words)
            found.setdefault(path, []).append(words)
    return found.items()


@pytest.mark.parametrize("path, lines", run_once(), ids=[name_of(path) for path, _lines in run_once()])
def test_commands_run(path, lines, fresh, networks, capsys):
    fresh()
    for words in lines:
        options = ["--quiet"] if words[1] in ("run", "batch") else []
        assert main([*words[1:], *options], networks) == 0, f"{' '.join(words)}: {capsys.readouterr()}"


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_python_runs(path, fresh, networks, monkeypatch):
    monkeypatch.setattr("CTADefaceLib.api._networks", networks)
    fresh()
    if path.name == "batch.md":
        # What the example looks at: a finished batch.
        assert main(["batch", "IN", "out", "--quiet"], networks) == 0
    names = {}
    for block in PYTHON[path]:
        tree = ast.parse(block)
        for words in called(tree):
            assert parsed(words)
        imported = {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if not imported & ELSEWHERE:
            exec(compile(tree, name_of(path), "exec"), names)


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_links_and_pictures_lead_somewhere(path):
    for target, anchor in links(path):
        assert target.exists(), f"{name_of(path)} -> {target}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(path)} -> {target}#{anchor}"


@pytest.mark.parametrize("path", [README, *PAGES], ids=name_of)
def test_every_block_says_its_language(path):
    fences = re.findall(r"^```(.*)$", text_of(path), re.MULTILINE)
    assert all(fences[::2]) and not any(fences[1::2])
    assert set(fences[::2]) <= {"bash", "python", "json", "text", "toml", "mermaid"}


def test_readme_fits_a_person_who_has_a_minute():
    assert text_of(README).count("\n") < 120
    assert [words for words in commands(README) if words[0] == "bash"] == [
        ["bash", "Testing/demo.sh", "[FILE]"],
        ["bash", "Testing/run.sh"],
    ]
    assert ["bash", "Testing/run.sh"] in commands(ROOT / ".github" / "CONTRIBUTING.md")


def test_every_page_is_in_the_navigation():
    configuration = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\s*- ([\w-]+\.md)$", configuration, re.MULTILINE)) == [page.name for page in PAGES]


def test_the_site_is_built_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", *(f"{page.stem}/index.html" for page in PAGES if page.stem != "index")} <= written
    assert not [
        path
        for path in (tmp_path / "site").rglob("*")
        if path.name == "Containerfile" or path.suffix in (".yml", ".service", ".toml")
    ]
    # The API is told by the docstrings themselves.
    assert 'id="CTADefaceLib.api.deface"' in (tmp_path / "site" / "python" / "index.html").read_text(encoding="utf-8")


def test_every_check_and_every_command_has_a_row():
    named = set(inline(ROOT / "docs" / "checks.md"))
    assert set(TITLES) <= named
    shell = prose(ROOT / "docs" / "shell.md")
    assert all(f"| `cta-deface {name}` |" in shell for name in build_parser()._subparsers._group_actions[0].choices)
    assert all(f"| `{name}" in shell for name in PROJECT["scripts"])


def test_versions_agree():
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert citation["version"] == __version__ and f"## [{__version__}]" in text_of(ROOT / "CHANGELOG.md")
    assert citation["references"][0]["doi"] in text_of(README)
    hook = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"][0]
    assert f"ruff=={hook['rev'].removeprefix('v')}" in text_of(ROOT / ".github" / "workflows" / "lint.yml")


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=name_of)
def test_forms_and_workflows_are_yaml_with_what_github_asks_for(path):
    content = yaml.safe_load(text_of(path))
    if path.parent.name == "workflows":
        assert content["name"] and content["jobs"] and all(job["steps"] for job in content["jobs"].values())
    elif path.name != "config.yml":
        assert content["name"] and content["description"]
        names = [part["id"] for part in content["body"] if part["type"] != "markdown"]
        assert len(names) == len(set(names))
