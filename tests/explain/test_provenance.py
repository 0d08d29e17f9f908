import pytest
import torch
from torch import nn

from cellxai.explain.gradcam import GradCam
from cellxai.explain.occlusion import Occlusion
from cellxai.explain.provenance import described, fingerprint, model_fingerprint


class Wrapped:
    def __init__(self, inner, times=2):
        self.inner = inner
        self.times = times
        self.cache = object()


class Forgetful:
    def __init__(self, width):
        self.w = width


def test_a_description_holds_class_and_settings_and_nothing_that_changes():
    assert described(GradCam("x")) == "cellxai.explain.gradcam.GradCam(layer='x')"
    nested = described(Wrapped(Occlusion(4, 2)))
    assert nested.endswith(
        "Wrapped(inner=cellxai.explain.occlusion.Occlusion(window_px=4, stride_px=2), times=2)"
    )
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
