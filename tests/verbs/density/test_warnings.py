import shutil
from dataclasses import replace

import pytest
from small_density import SETTINGS, FirstFeature, figures

from cellxai.data.pixels.corruptions import Darken
from cellxai.density.comparison import DetectorResult
from cellxai.density.densities import Mixture
from cellxai.density.views import Logits, Penultimate
from cellxai.verbs.density.verb import density
from cellxai.verbs.density.warnings import head_warnings, kept_warnings, separation_warnings


def test_too_few_images_for_a_promise_or_a_mixture_are_warned_of(run):
    mixture = Mixture(projection=0.99, n_components=(6,), covariance_types=("diag",))
    settings = replace(SETTINGS, views={"last": Penultimate(mixture)}, percent=4.0)
    result = density(run, settings, detectors={})
    lines = "\n".join(result.warnings)
    assert "cannot keep a promise of 4 % false alarms" in lines
    assert "images per component in " in lines
    assert figures(result)["warnings"] == list(result.warnings)
    assert str(result).count("warning: ") == len(result.warnings)


def test_a_projection_of_one_axis_is_warned_of(run):
    mixture = Mixture(projection=1, n_components=(1,), covariance_types=("full",))
    settings = replace(SETTINGS, views={"last": Penultimate(mixture)})
    assert any("keeps one axis" in line for line in density(run, settings, detectors={}).warnings)


def test_a_second_call_says_which_strangers_and_detectors_are_gone(run):
    shutil.rmtree(run / "density", ignore_errors=True)
    dark = {"dark": Darken(5)}
    first = density(run, SETTINGS, corruptions=dark, detectors={"mine": FirstFeature()})
    assert not any("no longer here" in line for line in first.warnings)
    second = density(run, SETTINGS, corruptions=dark, detectors={})
    assert any("compared mine: no longer here" in line for line in second.warnings)
    third = density(run, SETTINGS, detectors={})
    assert any("scored dark: no longer here" in line for line in third.warnings)


def result(detector: str, area: float, low: float, high: float) -> DetectorResult:
    return DetectorResult(
        detector, "fog", 9, 9, {"auroc": area, "fpr95": 0.5}, {"auroc": (low, high), "fpr95": None}
    )


@pytest.mark.parametrize(("area", "low", "warned"), [(0.6, 0.45, True), (0.6, 0.52, False)])
def test_a_separation_that_chance_explains_is_warned_of(area, low, warned):
    lines = list(separation_warnings([result("density", area, low, 0.8)]))
    assert [("not above chance" in line) for line in lines] == [True] * warned


def test_a_detector_that_is_clearly_better_is_named():
    ours = result("density", 0.7, 0.6, 0.8)
    better, alike = result("nearest", 0.95, 0.85, 1.0), result("energy", 0.82, 0.7, 0.9)
    (line,) = separation_warnings([ours, better])
    assert line == "fog: nearest separates them better, with an AUROC of 0.950 against 0.700"
    assert not list(separation_warnings([ours, alike]))


def test_a_broken_promise_is_warned_of_and_a_kept_one_not():
    row = {"nominal_percent": 4.0, "measured_share": "0.200000", "high": "0.3", "n": 60}
    (line,) = kept_warnings([row | {"low": "0.12"}], 4.0)
    assert line.startswith("20.0% of 60 known images that had no say are flagged")
    assert not list(kept_warnings([row | {"low": "0.03"}], 4.0))
    (line,) = kept_warnings([], 4.0)
    assert "no image is left that had no say" in line


def test_a_trained_head_among_untrained_views_is_warned_of():
    views = {"all": Penultimate(), "k": Logits()}
    assert not list(head_warnings(False, views))
    (line,) = head_warnings(True, views)
    assert "view 'k' looks at the last layer" in line
