"""``measure``: scores of maps that were made, equal to those of a benchmark."""

import pytest
import torch
from torch import nn
from users_models import Answering, cnn

from cellxai.explain import compare, explain, measure
from cellxai.explain.backward import Saliency
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.metrics.base import Metric
from cellxai.explain.superpixels.methods import Grid

METRICS = ["deletion", "insertion", "gini", "seed-stability"]


class Broken(Metric):
    """A metric that stops."""

    name, direction, range, paper = "broken", "higher", (0.0, 1.0), ""

    def measure(self, case, attribution):
        raise RuntimeError("no score")


class Failing(Explainer):
    """An explainer that stops."""

    def attribute(self, model, images, targets, context):
        raise RuntimeError("no map")


class Brightness(Explainer):
    """The image itself, so that several models get one map."""

    def attribute(self, model, images, targets, context):
        return Attribution(images.mean(1))


def values(measured) -> dict[tuple[str, ...], float]:
    rows = measured.scores()
    keys = zip(rows["image"], rows["explainer"], rows["metric"], rows["seed"], strict=True)
    return dict(zip(keys, rows["value"], strict=True))


@pytest.fixture
def explained(images):
    explainers = {"gradient": "saliency", "random": "random", "edges": "edges"}
    return explain(cnn(), images, explainers, superpixels=Grid(8), seeds=(0, 5))


def test_scores_are_those_of_a_benchmark_with_the_same_settings(explained, images, tmp_path):
    explainers = {"gradient": "saliency", "random": "random", "edges": "edges"}
    benchmark = compare(
        cnn(), images, explainers, METRICS, store=tmp_path / "b.sqlite", superpixels=Grid(8),
        seeds=(0, 5), batch_size=32,
    )  # fmt: skip
    measured = measure(explained, METRICS)
    assert values(measured) == pytest.approx(values(benchmark), abs=1e-6, nan_ok=True)
    assert len(values(measured)) == 3 * 3 * 4 * 2
    frame, other = measured.to_frame(), benchmark.to_frame()
    assert frame.columns == other.columns
    for name in ("mean", "low", "high"):
        assert frame[name] == pytest.approx(other[name], abs=1e-6, nan_ok=True)
    for name in ("metric", "explainer", "control", "n_images", "beats_controls"):
        assert frame[name] == other[name]


def test_localisation_is_measured_where_a_region_is_known(images):
    masks = torch.zeros(3, 16, 16)
    masks[0, 3, 4], masks[1] = 1, 1  # and none on the last image
    images[0, :, 3, 4] = 1
    result = explain(cnn(), images, [Brightness(), "edges"])
    frame = measure(result, "pointing at cells", regions={"cells": masks}).to_frame()
    row = frame.where(explainer="Brightness")[0]
    assert (row["mean"], row["n_images"], row["n_inapplicable"]) == (1.0, 2, 1)


@pytest.mark.parametrize("target", [0, 1])
def test_a_single_logit_is_judged_like_two_that_compete(target, images):
    single = cnn(classes=1).eval()
    double = Answering(single, lambda z: torch.cat([-z / 2, z / 2], 1))
    reading = {"target": target, "superpixels": Grid(4)}
    metrics = ["deletion", "insertion", "road", "sufficiency"]
    one, two = (
        values(measure(explain(model, images, Brightness(), **reading), metrics))
        for model in (single, double)
    )
    assert one == pytest.approx(two, abs=1e-6)


def test_probabilities_are_followed_as_they_are(images):
    logits = cnn().eval()
    maps = {"bright": Brightness()}
    ways = [
        explain(logits, images, maps),
        explain(nn.Sequential(logits, nn.Softmax(1)), images, maps, output_is="probabilities"),
    ]
    one, two = (values(measure(way, "deletion, insertion")) for way in ways)
    assert one == pytest.approx(two, abs=1e-6)


def test_what_fails_is_counted_and_says_why(images):
    result = explain(cnn(), images, [Saliency(), Failing()])
    measured = measure(result, {"gini": "gini", "broken": Broken()})
    frame = measured.to_frame()
    assert frame.where(metric="gini", explainer="Failing")[0]["n_failed"] == 3
    assert frame.where(metric="gini", explainer="Saliency")[0]["n_failed"] == 0
    assert frame.where(metric="broken", explainer="Saliency")[0]["n_failed"] == 3
    reasons = {*measured.scores().where(status="failed")["reason"]}
    assert reasons == {"RuntimeError: no map", "metric: RuntimeError: no score"}


def test_a_mask_that_does_not_fit_is_told(explained):
    with pytest.raises(ValueError, match=r"regions\['cells'\] has 2 masks and there are 3 images"):
        measure(explained, "gini", regions={"cells": torch.zeros(2, 16, 16)})
    with pytest.raises(ValueError, match=r"regions\['cells'\]\[0\] has shape \[8, 16\]"):
        measure(explained, "gini", regions={"cells": torch.zeros(3, 8, 16)})


def test_tables_are_written_as_by_a_benchmark(explained, tmp_path):
    measured = measure(explained, "gini, deletion")
    folder = measured.save(tmp_path / "tables")
    assert "| gradient" in (folder / "table.md").read_text(encoding="utf-8")
    assert "<td>deletion</td>" in measured._repr_html_()
    assert repr(measured).splitlines()[0].split()[:3] == ["metric", "direction", "explainer"]
