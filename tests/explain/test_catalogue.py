import pytest

from cellxai.explain.catalogue import (
    every_explainer,
    named_explainers,
    standard_explainers,
    standard_metrics,
)
from cellxai.explain.metrics.localisation import PointingGame, RelevanceMass


def test_names_are_answered_in_their_order_and_blanks_are_none():
    assert list(named_explainers(" random,, gradcam , lime")) == ["random", "gradcam", "lime"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("gradcamm", r"'gradcamm'; did you mean gradcam or .*\?"),
        ("lime,xyzzy", "called 'xyzzy'; known: lime, lime-reference"),
        (" , ", r"explainers=' , ' names no explainer; known: lime, "),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_or_all(names, message):
    with pytest.raises(ValueError, match=message):
        named_explainers(names)


def test_the_number_of_samples_reaches_the_methods_that_draw_them():
    drawing = {
        name: explainer
        for name, explainer in every_explainer(77).items()
        if getattr(explainer, "n_samples", None) == 77
    }
    assert set(drawing) == {
        "lime", "lime-reference", "lime-captum", "kernel-shap", "leverage-shap",
    }  # fmt: skip


def test_what_is_compared_by_default_has_controls_and_exists():
    explainers = standard_explainers()
    assert any(explainer.is_control for explainer in explainers.values())
    kinds = {type(explainer) for explainer in every_explainer().values()}
    assert {type(explainer) for explainer in explainers.values()} <= kinds


def test_localisation_is_measured_in_every_known_region():
    without, known = standard_metrics(set()), standard_metrics({"cells", "cause"})
    added = [known[name] for name in known if name not in without]
    assert [type(metric) for metric in added] == [RelevanceMass, PointingGame] * 2
    assert [metric.region for metric in added] == ["cause", "cause", "cells", "cells"]


def test_maps_that_are_no_evidence_say_what_they_are():
    meanings = {name: explainer.meaning for name, explainer in every_explainer().items()}
    said = {name: meaning for name, meaning in meanings.items() if meaning}
    of_attention = {"gradient-rollout", "attention-rollout"}
    of_controls = {"random", "centre", "edges", "image"}
    assert set(said) == {"saliency", "smoothgrad"} | of_attention | of_controls
    assert "not in which direction" in said["saliency"]
    assert "knows nothing of the model" in said["edges"]
