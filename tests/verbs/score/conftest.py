"""Runs that know new images, and the new images."""

import shutil
from pathlib import Path

import pytest
from small_density import SETTINGS

from cellxai.verbs.density.verb import density
from cellxai.verbs.synthesize import synthesize


@pytest.fixture(scope="session")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a density of a few views, not calibrated."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("score") / "run"))
    for verb in ("density", "evaluation"):  # of another test
        shutil.rmtree(copy / verb, ignore_errors=True)
    density(copy, SETTINGS, detectors={}, device="cpu")
    return copy


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten new images, all far out of focus."""
    folder = tmp_path_factory.mktemp("plate")
    synthesize(folder / "made", n_images=10, seed=9, height=64, width=64, spoiled=True)
    return Path(shutil.copytree(folder / "made" / "train", folder / "images"))
