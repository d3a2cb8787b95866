"""Models for the tests: samples to install, and a store of the test's own."""

import shutil
from pathlib import Path

import pytest

from CTADefaceLib.models import store
from helpers.model_samples import CONFIGURATIONS, TREE, write_model


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Trainer folders by style, written once; not to be changed."""
    base = tmp_path_factory.mktemp("samples")
    return {style: write_model(base / style / TREE, style) for style in CONFIGURATIONS}


@pytest.fixture
def trainer(samples, tmp_path):
    """A trainer folder in a results tree, free to be changed."""
    return Path(shutil.copytree(samples["new"], tmp_path / "results" / TREE))


@pytest.fixture(autouse=True)
def user_store(tmp_path, monkeypatch):
    monkeypatch.setenv("CTADEFACE_MODELS", str(tmp_path / "store"))
    monkeypatch.setattr(store, "bundled_folder", lambda: tmp_path / "bundled")
    return tmp_path / "store"
