"""What is explained need not be a logit: probabilities, densities, a score of one's own."""

import math
import shutil
from pathlib import Path

import pytest

from cellxai.adapters.second_run import RunDensity, RunModel
from cellxai.density import PipelineSettings
from cellxai.density.views import Penultimate, PooledLayer, Tones
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.controls import Edges, sobel_magnitude
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC, Irof
from cellxai.explain.metrics.faithfulness_correlation import SinglePartEffect
from cellxai.explain.metrics.road import Road
from cellxai.explain.metrics.sanity import (
    EfficientRandomisation,
    LabelRandomisation,
    ParameterRandomisation,
)
from cellxai.explain.provenance import identify_model
from cellxai.explain.results.store import Store
from cellxai.explain.score import Logit, Score
from cellxai.explain.superpixels.methods import Grid
from cellxai.trained.run import load_run
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.benchmark.run_images import RunItems
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.merge import merge

pytestmark = pytest.mark.usefixtures("drawn")
REGIONS = Grid(size_px=16)
ASKED = {"superpixels": REGIONS, "images_per_class": 1, "device": "cpu"}


class Margin(Score):
    """The first class's lead over the second."""

    def scores(self, outputs):
        return outputs[:, :1] - outputs[:, 1:2]


VIEWS = {"last": Penultimate(), "early": PooledLayer("backbone.blocks.1"), "tones": Tones(1)}


@pytest.fixture(scope="module")
def fitted(tiny_run, tmp_path_factory) -> Path:
    """A copy of the trained run with a density."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("fitted") / "run"))
    density_of_run(load_run(copy, "cpu"), PipelineSettings(views=VIEWS))
    return copy


@pytest.fixture
def known(fitted, tmp_path) -> Path:
    """A copy of that to write into."""
    return Path(shutil.copytree(fitted, tmp_path / "known"))


def values(folder: Path) -> dict[tuple[str, str, str], float]:
    rows = Store(folder / "results.sqlite").rows()
    return {(row.explainer, row.metric, row.image): row.value for row in rows}


def area_by_hand(score, image, values) -> float:
    """Mean of a score while superpixels are hidden one by one, the highest first."""
    labels = REGIONS.segment(image[None])
    hidden, shown = BlurBaseline().fill(image[None], labels)[0], image.clone()
    names = sorted(labels.unique().tolist(), key=lambda s: -values[labels[0] == s].mean().item())
    curve, widths = [score(shown[None])], []
    for name in names:
        shown[:, labels[0] == name] = hidden[:, labels[0] == name]
        curve.append(score(shown[None]))
        widths.append((labels == name).float().mean().item())
    steps = zip(widths, curve[:-1], curve[1:], strict=True)
    return sum(width * (before + after) / 2 for width, before, after in steps)


def test_the_deletion_of_a_density_is_the_area_under_log_densities(known):
    asked = {"explainers": {"edges": Edges()}, "metrics": {"deletion": DeletionAUC()}} | ASKED
    made = benchmark(known, score="density", **asked)
    assert made.folder == known / "benchmark" / "density"
    assert not (known / "benchmark" / "results.sqlite").exists()
    assert {"table.csv", "table.md", "pictures.json"} <= {
        path.name for path in made.folder.iterdir()
    }
    actual, density = values(made.folder), RunDensity(known)
    for item in RunItems(load_run(known, "cpu"), None, 1):
        edges = sobel_magnitude(item.image.mean(0)[None])[0]
        slow = area_by_hand(lambda x: density.log_density(x).item(), item.image, edges)
        assert math.isfinite(slow)
        assert actual["edges", "deletion", item.id] == pytest.approx(slow, rel=1e-5)
    assert {answer.target for answer in Store(made.path).answers()} == {0}


def test_what_asks_for_classes_or_another_network_fails_on_a_density_and_says_why(known):
    metrics = {
        "ROAD": Road((0.5,)), "labels": LabelRandomisation(RunModel(known)),
        "MPRT": ParameterRandomisation(n_stages=2), "efficient": EfficientRandomisation(),
        "alone": SinglePartEffect(),
    }  # fmt: skip
    made = benchmark(known, {"saliency": Saliency()}, metrics, score="density", **ASKED)
    message = "\n".join(made.failed)
    assert "saliency" not in message
    assert "a score of the image alone predicts none" in message
    assert "a log p-value is of one model's features" in message
    judged = {metric for (_, metric, _), value in values(made.folder).items() if value == value}
    assert judged == {"MPRT", "efficient", "alone"}


def test_curves_of_the_probability_are_those_of_the_logit(run):
    curves = {"deletion": DeletionAUC(), "insertion": InsertionAUC(), "IROF": Irof()}
    folders = [
        benchmark(run, {"edges": Edges()}, curves, score=score, **ASKED).folder
        for score in ("logit", "probability")
    ]
    assert folders == [run / "benchmark", run / "benchmark" / "probability"]
    by_logit, by_probability = map(values, folders)
    assert by_logit == pytest.approx(by_probability, abs=1e-6)
    assert len(by_logit) == 9


def test_another_network_is_explained_by_the_same_score(run):
    metrics = {"labels": LabelRandomisation(RunModel(run))}
    made = benchmark(run, {"saliency": Saliency()}, metrics, score="log_odds", **ASKED)
    assert list(values(made.folder).values()) == pytest.approx([1, 1, 1])


def test_a_logit_by_any_name_goes_on_with_the_results_that_are_there(run):
    asked = {"explainers": {"edges": Edges()}, "metrics": {"deletion": DeletionAUC()}} | ASKED
    made = benchmark(run, **asked)
    assert Store(made.path).settings()["model"] == identify_model(load_run(run).classifier)
    assert benchmark(run, score=Logit(), **asked).computed == 0


def test_shards_of_a_score_of_ones_own_are_merged_in_its_folder(run):
    asked = {"explainers": {"edges": Edges()}, "metrics": {"deletion": DeletionAUC()}} | ASKED
    made = benchmark(run, score=Margin(), shard="1/1", **asked)
    assert made.folder == run / "benchmark" / "Margin"
    whole = values(made.folder)
    made.path.unlink()
    message = "holds no shard; benchmark Margin with --shard 1/2"
    with pytest.raises(FileNotFoundError, match=message):
        merge(run, "Margin")
    for shard in ("1/2", "2/2"):
        made = benchmark(run, score=Margin(), shard=shard, **asked)
        assert f"cellxai merge --run {run} --score Margin joins the shards" in str(made)
    assert merge(run, "Margin").new == 3
    assert values(made.folder) == pytest.approx(whole)
