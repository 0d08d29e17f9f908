import pytest
import torch
from torch import nn

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.hiding.occlusion import Occlusion
from cellxai.explain.provenance import (
    code_fingerprint,
    described,
    fingerprint,
    model_fingerprint,
)
from cellxai.explain.score import Probability, Score, Scored


class Wrapped:
    def __init__(self, inner, times=2):
        self.inner = inner
        self.times = times
        self.cache = object()


class Forgetful:
    def __init__(self, width):
        self.w = width


def test_a_description_holds_class_and_settings_and_nothing_that_changes():
    assert described(GradCam("x")) == "cellxai.explain.backward.gradcam.GradCam(layer='x')"
    nested = described(Wrapped(Occlusion(4, 2)))
    occlusion = "cellxai.explain.hiding.occlusion.Occlusion(window_px=4, stride_px=2)"
    assert nested.endswith(f"Wrapped(inner={occlusion}, times=2)")
    assert nested == described(Wrapped(Occlusion(4, 2)))


def test_a_class_that_keeps_its_settings_for_itself_is_refused():
    with pytest.raises(ValueError, match=r"Forgetful keeps no attribute 'width'.* self.width"):
        described(Forgetful(3))


def test_fingerprints_follow_names_shapes_and_contents():
    zeros = torch.zeros(4)
    different = [{"a": zeros}, {"b": zeros}, {"a": zeros.view(2, 2)}, {"a": zeros + 1}]
    assert len({fingerprint(tensors) for tensors in different}) == 4
    assert fingerprint({"a": zeros}) == fingerprint({"a": zeros.clone()})


def test_a_trained_model_is_another_model():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    before = model_fingerprint(model)
    nn.init.zeros_(model.weight)
    assert model_fingerprint(model) != before
    assert model_fingerprint(described) == "described"


class Mine(Score):
    def scores(self, outputs):
        return -outputs


def test_a_score_of_ones_own_is_told_apart_by_its_code():
    network = nn.Linear(2, 2)
    of_network = model_fingerprint(network)
    ours, mine = (model_fingerprint(Scored(network, score)) for score in (Probability(), Mine()))
    assert ours == f"cellxai.explain.score.Probability() of {of_network}"
    assert mine.endswith(f"Mine() {code_fingerprint(Mine())} of {of_network}")
    assert code_fingerprint(Mine()).startswith("crc32:")
