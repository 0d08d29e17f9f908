import pytest
import torch
from torch import nn

from cellxai.classifier.backbone import FeatureNetwork, TimmBackbone
from cellxai.classifier.module import CellClassifier, HeadSettings
from cellxai.density.densities import NearestClass
from cellxai.density.views import Places, PooledLayer
from cellxai.density.views.defaults import default_views, find_stages, spread
from cellxai.density.views.looking import as_grid, layers_of, look, rows_of


def classifier(backbone: FeatureNetwork) -> CellClassifier:
    return CellClassifier(backbone, HeadSettings(hidden=4), 3).eval()


def timm(name: str, **options) -> CellClassifier:
    return classifier(TimmBackbone(name, options=options).build(load_weights=False))


class Own(nn.Module):
    """A network of one's own, of which timm says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(4, 5, 3, 2), nn.Conv2d(5, 6, 3, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(self.stem(images)).mean((2, 3))


@pytest.mark.parametrize(
    ("network", "stages"),
    [
        (lambda: timm("test_efficientnet"), ["blocks.0", "blocks.1", "blocks.4", "bn2"]),
        (lambda: timm("test_vit", img_size=64), ["blocks.0", "blocks.5", "norm"]),
        (lambda: timm("test_convnext"), ["stages.0", "stages.3"]),
        (lambda: classifier(FeatureNetwork(Own(), 6)), ["stem", "body.0", "body.1"]),
    ],
)
def test_the_views_of_any_network_are_its_own_stages(network, stages):
    model = network()
    found = find_stages(model, (64, 64))
    assert {f"backbone.{name}" for name in stages} <= {*found}
    views = default_views(model, (64, 64), planes=1)
    assert [view.layer for view in views.values() if isinstance(view, PooledLayer)] == found
    assert [view.layer for view in views.values() if isinstance(view, Places)] == found[:2]
    assert {"tones", "pixels", "penultimate", "logits"} < set(views)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rows = rows_of(views, look(model, layers_of(views.values()), images))
    assert all(len(values) == 2 and values.isfinite().all() for values in rows.values())


def test_the_later_views_know_the_classes_and_the_early_ones_do_not():
    views = default_views(timm("test_efficientnet"), (64, 64), planes=1)
    with_classes = {name for name, v in views.items() if isinstance(v.density, NearestClass)}
    stages = [name for name, view in views.items() if isinstance(view, PooledLayer)]
    n_early = -(-len(stages) // 3)
    assert with_classes == {*stages[n_early:], "penultimate"}


def test_no_stage_is_looked_at_twice_under_two_names():
    found = find_stages(timm("test_efficientnet"), (64, 64))
    assert len(found) == len(set(found))


def test_many_stages_are_thinned_evenly_with_both_ends():
    assert spread("abcdefghijkl", 6) == ["a", "c", "e", "h", "j", "l"]
    assert spread("abc", 6) == ["a", "b", "c"]


def test_one_pass_gives_features_logits_and_every_layer():
    model = timm("test_efficientnet")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        seen = look(model, ["backbone.blocks.0", "backbone.blocks.1"], images)
        assert len(calls) == 1
        torch.testing.assert_close(seen.features, model.features(images))
        torch.testing.assert_close(seen.logits, model(images))
    assert list(seen.layers) == ["backbone.blocks.0", "backbone.blocks.1"]
    assert not model.backbone.get_submodule("blocks.0")._forward_hooks


def test_a_layer_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no such layer"):
        look(timm("test_efficientnet"), ["backbone.nowhere"], torch.zeros(1, 3, 64, 64))


def test_channels_may_be_last_and_places_tokens():
    backbone = nn.Identity()
    tokens = torch.arange(2 * 5 * 3.0).reshape(2, 5, 3)
    assert as_grid(tokens, backbone).shape == (2, 3, 1, 5)
    backbone.num_prefix_tokens = 1
    grid = as_grid(tokens, backbone)
    assert torch.equal(grid, tokens[:, 1:].transpose(1, 2).reshape(2, 3, 2, 2))
    backbone.output_fmt = "NHWC"
    assert as_grid(torch.zeros(2, 4, 5, 7), backbone).shape == (2, 7, 4, 5)
    assert as_grid(torch.zeros(2, 7), backbone).shape == (2, 7)
