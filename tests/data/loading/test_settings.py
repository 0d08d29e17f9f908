import pytest

from cellxai.data.loading.settings import LoadingSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "loading.workers=-1: expected 0 or more"),
        ({"workers": 2, "pipeline": "tensor"}, "pass workers=0, or pipeline=albumentations"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LoadingSettings(**options)


def test_a_misspelt_pipeline_is_refused():
    # A TypeError where annotations are checked, as an import hook can do.
    with pytest.raises((ValueError, TypeError), match=r"albumentations.*tensor"):
        LoadingSettings(pipeline="tensors")
