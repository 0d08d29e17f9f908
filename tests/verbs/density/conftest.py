"""Densities of a small run and of raw pixels, which the tests of this folder look at."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_density import SETTINGS, FirstFeature

from cellxai.data.pixels.corruptions import Darken
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.density.densities import Mixture
from cellxai.density.detectors import MaxSoftmax
from cellxai.density.views import Pixels
from cellxai.verbs.density.summary import DensitySummary
from cellxai.verbs.density.verb import density
from cellxai.verbs.synthesize import synthesize

MIXTURE = Mixture(projection=2, n_components=(1,), covariance_types=("diag", "spherical"))


@pytest.fixture(scope="session")
def scored(tiny_run, tmp_path_factory) -> DensitySummary:
    """The density of the run, of unfamiliar images too."""
    folder = tmp_path_factory.mktemp("density")
    synthesize(folder / "spoiled", n_images=6, seed=1, height=64, width=64, spoiled=True)
    copy = Path(shutil.copytree(tiny_run, folder / "run"))
    shutil.rmtree(copy / "density", ignore_errors=True)
    return density(
        copy,
        SETTINGS,
        unfamiliar={"spoiled": Sartorius(folder / "spoiled")},
        corruptions={"dark": Darken(5)},
        detectors={"mine": FirstFeature(), "max softmax": MaxSoftmax()},
    )


@pytest.fixture(scope="session")
def pixels(tmp_path_factory) -> DensitySummary:
    """The density of raw pixels, each image judged in turn."""
    folder = tmp_path_factory.mktemp("pixels")
    synthesize(folder / "cells", n_images=24, seed=2, height=64, width=64)
    return density(
        folder / "run",
        replace(SETTINGS, views={"pixels": Pixels(None, planes=1, density=MIXTURE)}),
        Sartorius(folder / "cells"),
        SplitSettings(validation_share=0.0, test_share=0.0),
        Transforms(image_size=(16, 16), clahe=False),
        folds=3,
        corruptions={"dark": Darken(5)},
        detectors={"mine": FirstFeature(), "max softmax": MaxSoftmax()},
    )
