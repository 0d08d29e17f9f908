from small_density import figures

from cellxai.density import PipelineSettings
from cellxai.verbs.density.verb import density


def test_too_few_images_for_a_percentile_or_a_mixture_are_warned_of(run):
    settings = PipelineSettings(
        projection=0.99, n_components=(6,), covariance_types=("diag",), percent=4.0
    )
    result = density(run, settings, detectors={})
    assert "the mixture memorises them" in result.warnings[0]
    assert "held-out samples cannot resolve 4 %; at least 24 can" in result.warnings[1]
    assert figures(result)["threshold_nats"] is None
    assert figures(result)["warnings"] == list(result.warnings)
    assert str(result).count("warning: ") == 2
