from dataclasses import replace

import pytest

from cellxai.density.settings import PLACE_PIPELINE, PipelineSettings, PlaceSettings

LAYERS = ["backbone.blocks.0", "backbone.blocks.1"]


@pytest.mark.parametrize(("change", "message"), [
    ({"projection": 0}, "projection=0"), ({"projection": 1.5}, "projection=1.5"),
    ({"percent": 0.0}, "percent=0"), ({"percent": 100.0}, "percent=100"),
    ({"n_components": ()}, "n_components="), ({"covariance_types": ()}, "covariance_types="),
])  # fmt: skip
def test_a_setting_outside_its_range_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        PipelineSettings(**change)


@pytest.mark.parametrize(
    "options", [{"share": 0.0}, {"share": 1.5}, {"smoothing": -1.0}, {"n_places": 1}]
)
def test_options_outside_their_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        PlaceSettings(LAYERS, **options)


@pytest.mark.parametrize(
    "options", [{"layer": "backbone.blocks.1"}, {"per_class": True}, {"verdict": "either"}]
)
def test_options_of_images_are_refused_for_places(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf"places\.pipeline\.{name}={value}: has no meaning"):
        PlaceSettings(LAYERS, replace(PLACE_PIPELINE, **options))
