import shutil
from pathlib import Path

import pytest
import torch

from cellxai.adapters.explained_score import attach_score
from cellxai.adapters.second_run import RunDensity
from cellxai.density import PipelineSettings
from cellxai.density.views import Penultimate
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.provenance import identify_model
from cellxai.explain.score import Score
from cellxai.explain.superpixels.methods import Grid
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density_of_run


class Margin(Score):
    """The first class's lead over the second."""

    units = "logits"

    def scores(self, outputs):
        return outputs[:, :1] - outputs[:, 1:2]


class Pairs(Score):
    """Two columns, where there are three classes."""

    def scores(self, outputs):
        return outputs[:, :2]


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory):
    return load_run(Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("s") / "run")), "cpu")


@pytest.fixture(scope="module")
def image(trained) -> torch.Tensor:
    return trained.pixels("test", 0)


def test_scores_by_name_are_made_of_the_logits(trained, image):
    with torch.no_grad():
        logits = trained.classifier(image)
        scored = {
            n: attach_score(trained, n).model(image) for n in ("logit", "probability", "log_odds")
        }
    p = logits.softmax(1)
    assert torch.equal(scored["logit"], logits)
    assert torch.equal(scored["probability"], p)
    torch.testing.assert_close(scored["log_odds"], (p / (1 - p)).log(), rtol=1e-3, atol=1e-4)


def test_what_is_explained_is_said_with_its_units(trained):
    assert attach_score(trained, "log_odds").explained("astro") == "log-odds of astro (nats)"
    own = attach_score(trained, Margin())
    assert (own.explained("astro"), own.column(2)) == ("Margin of the image (logits)", 0)
    assert attach_score(trained, "probability").column(2) == 2


def test_a_score_of_neither_one_column_nor_one_per_class_is_refused(trained):
    with pytest.raises(ValueError, match="score=Pairs gives 2 columns, expected one, or one for e"):
        attach_score(trained, Pairs())


def test_a_density_that_the_run_has_not_is_named(tiny_run, tmp_path):
    bare = load_run(Path(shutil.copytree(tiny_run, tmp_path / "run")), "cpu")
    shutil.rmtree(bare.folder.density, ignore_errors=True)
    with pytest.raises(FileNotFoundError, match="run `cellxai density --run "):
        attach_score(bare, "density")


def test_the_density_of_an_image_is_explained_down_to_its_pixels(trained, image):
    density_of_run(trained, PipelineSettings(views={"last": Penultimate()}))
    scored = attach_score(trained, "density")
    with torch.no_grad():
        expected = RunDensity(trained.folder.root).log_density(image)
        torch.testing.assert_close(scored.model(image)[:, 0], expected)
    assert (scored.explained("astro"), scored.column(2)) == (
        "log p-value of the image (nats)",
        0,
    )
    assert scored.view_of(image) == "last"
    assert attach_score(trained, "logit").view_of(image) == ""
    context = context_of(image, Grid(16), BlurBaseline())
    column = torch.tensor([0])
    gradient = Saliency().attribute(scored.model, image, column, context)
    assert gradient.values.abs().sum() > 0
    gradcam = GradCam().attribute(scored.model, image, column, context)
    assert gradcam.status == "ok"
    assert gradcam.values.std() > 0


@pytest.mark.slow
def test_maps_of_two_densities_are_told_apart(trained):
    density_of_run(trained)
    first = identify_model(attach_score(trained, "density").model)
    assert identify_model(attach_score(trained, "density").model) == first
    density_of_run(trained, PipelineSettings(percent=30.0))
    assert identify_model(attach_score(trained, "density").model) != first
