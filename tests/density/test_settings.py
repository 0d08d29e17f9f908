import pytest

from cellxai.density.settings import PipelineSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"views": {}}, r"views=\{\}: expected at least one"),
        ({"percent": 0.0}, "percent=0.0: expected a share between 0 and 100"),
        ({"percent": 100.0}, "percent=100.0"),
        ({"guarantee": 1.0}, "guarantee=1.0: expected a confidence between 0 and 1"),
        ({"n_folds": 1}, "n_folds=1: expected at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PipelineSettings(**settings)
