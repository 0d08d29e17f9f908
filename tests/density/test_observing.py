import pytest

from cellxai.density.observing import network_views
from cellxai.trained.run import load_run


@pytest.mark.parametrize("untrained", [True, False])
def test_what_a_head_gives_that_alone_was_trained_is_no_usual_view(
    tiny_run, monkeypatch, untrained
):
    monkeypatch.setattr("cellxai.density.observing.has_untrained_features", lambda _: untrained)
    views = network_views(load_run(tiny_run, "cpu"), None)
    assert ("logits" in views) is not untrained
    assert "penultimate" in views
