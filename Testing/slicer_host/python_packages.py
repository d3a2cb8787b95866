"""The module ``slicer.packaging``: checks are real, installations are only recorded."""

import importlib.metadata
import sys
import types
from pathlib import Path

import slicer
from packaging.requirements import Requirement

# Calls of pip_ensure and pip_install as (function, requirements, keywords); cleared by the host between tests.
CALLS = []
# What a test wants an installation to do: a function of the requirements, e.g. one that raises.
ACTION = {"install": None}


def load_requirements(path):
    """The requirements of a text file, without comments and options."""
    lines = [line.split(" #")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _listed(requirements):
    """One requirement or many, as a list of Requirement."""
    many = [requirements] if isinstance(requirements, (str, Requirement)) else requirements
    return [item if isinstance(item, Requirement) else Requirement(item) for item in many]


def _satisfied(requirement):
    if requirement.marker and not requirement.marker.evaluate():
        return True
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def pip_check(req):
    """Whether all requirements are satisfied by what is installed (extras are not looked into)."""
    return all(_satisfied(item) for item in _listed(req))


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    """Install what is missing, after asking; refusing raises RuntimeError, as in Slicer."""
    wanted = [item for item in _listed(requirements) if item.name not in (skip_packages or [])]
    missing = [item for item in wanted if not pip_check(item)]
    CALLS.append(("pip_ensure", [str(item) for item in missing], {"requester": requester, "skip_packages": skip_packages}))
    if not missing or (skip_in_testing and slicer.app.testingEnabled()):
        return None
    names = ", ".join(str(item) for item in missing)
    if prompt_install and not slicer.util.confirmOkCancelDisplay(f"{requester or 'A module'} needs: {names}"):
        raise RuntimeError("User declined package installation")
    return pip_install([str(item) for item in missing], constraints=constraints, skip_packages=skip_packages)


def pip_install(requirements, constraints=None, **keywords):
    """Recorded, and what the test asked for is done."""
    CALLS.append(("pip_install", requirements, keywords))
    if ACTION["install"]:
        ACTION["install"](requirements)
    return [] if keywords.get("skip_packages") else None


def install():
    """Make ``slicer.packaging`` importable."""
    module = types.ModuleType("slicer.packaging")
    for value in (load_requirements, pip_check, pip_ensure, pip_install):
        setattr(module, value.__name__, value)
    module.isPipInstallInProgress = lambda: False
    slicer.packaging = sys.modules[module.__name__] = module
    slicer.util.pip_install = pip_install
