"""Runs that know new images, and the new images."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PLACE_PIPELINE, PipelineSettings, PlaceSettings
from cellxai.verbs.density.verb import density
from cellxai.verbs.synthesize import synthesize


@pytest.fixture(scope="session")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a mixture per class, not calibrated."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("score") / "run"))
    shutil.rmtree(copy / "evaluation", ignore_errors=True)  # of another test
    settings = PipelineSettings(
        n_components=(1,), covariance_types=("diag",), percent=30.0, per_class=True
    )
    density(copy, settings, device="cpu")
    return copy


@pytest.fixture(scope="session")
def run_with_places(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, with a density of places too."""
    copy = Path(shutil.copytree(run, tmp_path_factory.mktemp("places") / "run"))
    pipeline = DensityPipeline.load(run / "density/pipeline.safetensors").settings
    places = PlaceSettings(
        ["backbone.blocks.0"], replace(PLACE_PIPELINE, percent=30.0), n_places=2000
    )
    density(copy, pipeline, places=places, detectors={}, device="cpu")
    return copy


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten new images, all far out of focus."""
    folder = tmp_path_factory.mktemp("plate")
    synthesize(folder / "made", n_images=10, seed=9, height=64, width=64, spoiled=True)
    return Path(shutil.copytree(folder / "made" / "train", folder / "images"))
