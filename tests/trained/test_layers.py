import pytest
import torch
from torch import nn

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.score import LogDensity, Scored
from cellxai.explain.superpixels.methods import Slic
from cellxai.trained.layers import (
    LayerFeatures,
    layer_names,
    mean_over_places,
    output_of,
)
from cellxai.trained.run import load_run

IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
DEEP, SHALLOW = "backbone.blocks.2", "backbone.blocks.0"


@pytest.fixture(scope="module")
def classifier(tiny_run):
    return load_run(tiny_run, "cpu").classifier


def test_penultimate_features_are_what_enters_the_last_layer(classifier):
    with torch.inference_mode():
        found = LayerFeatures(classifier)(IMAGES)
        assert torch.equal(found, classifier.features(IMAGES))
        assert torch.equal(classifier.head[-1](found), classifier(IMAGES))


def test_a_named_layer_gives_what_a_hook_on_it_sees(classifier):
    seen = []
    handle = classifier.get_submodule(DEEP).register_forward_hook(lambda _, __, y: seen.append(y))
    with torch.inference_mode():
        classifier(IMAGES)
        handle.remove()
        assert torch.equal(LayerFeatures(classifier, DEEP, pooled=False)(IMAGES), seen[0])
        assert torch.equal(LayerFeatures(classifier, DEEP)(IMAGES), seen[0].mean((2, 3)))


def test_no_later_layer_runs_and_no_hook_stays(classifier):
    before = len(classifier.get_submodule(SHALLOW)._forward_hooks)
    later = []
    handle = classifier.get_submodule(DEEP).register_forward_hook(lambda *_: later.append(1))
    output_of(classifier, SHALLOW, IMAGES)
    handle.remove()
    assert not later
    assert len(classifier.get_submodule(SHALLOW)._forward_hooks) == before


def test_features_are_differentiable_with_respect_to_the_image(classifier):
    images = IMAGES.clone().requires_grad_()
    LayerFeatures(classifier, SHALLOW)(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_grad_cam_finds_the_last_convolution_before_the_layer(classifier):
    score = LogDensity(lambda features: -features.square().sum(1))
    model = Scored(LayerFeatures(classifier, SHALLOW), score)
    context = context_of(IMAGES, Slic(), BlurBaseline())
    targets = torch.zeros(3, dtype=torch.int64)
    found = GradCam().attribute(model, IMAGES, targets, context)
    assert found.status == "ok"
    assert found.values.abs().sum() > 0


def test_an_unknown_layer_is_answered_with_the_nearest_names(classifier):
    with pytest.raises(ValueError, match=r"layer='backbone\.block\.2'.*near it: .*backbone") as it:
        LayerFeatures(classifier, "backbone.block.2")
    assert "\n" not in str(it.value)
    assert "accuracy" not in " ".join(layer_names(classifier))


def test_penultimate_features_have_no_places(classifier):
    with pytest.raises(ValueError, match="'penultimate' has no places; name an earlier one"):
        LayerFeatures(classifier, PENULTIMATE, pooled=False)


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Identity(), nn.Identity()
        self.two = nn.Module()
        self.two.forward = lambda x: (x, x)

    def forward(self, x):
        return self.two(self.used(x))[0]


@pytest.mark.parametrize(("layer", "what"), [("idle", "does not run"), ("two", "gives tuple")])
def test_a_layer_without_an_output_is_refused(layer, what):
    with pytest.raises(ValueError, match=f"layer='{layer}' {what}"):
        output_of(Unused(), layer, IMAGES)


def test_places_are_rows_and_columns_or_tokens():
    x = torch.rand(2, 4, 3, 5)
    torch.testing.assert_close(mean_over_places(x), x.flatten(2).mean(2))
    torch.testing.assert_close(mean_over_places(x[..., 0]), x[..., 0].mean(1))
    assert torch.equal(mean_over_places(x[..., 0, 0]), x[..., 0, 0])
