from pathlib import Path

import pytest
import timm
import torch

from cellxai.classifier.backbone import Backbone, FeatureNetwork, TimmBackbone, own_image_size

NAME = "test_efficientnet"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"'tf_efficientnetv2_bo' is not a .* mean .*efficientnetv2"
    ):
        TimmBackbone("tf_efficientnetv2_bo").build(load_weights=True)


def test_an_unknown_tag_is_answered_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"no tag 'in22k'; expected tf_efficientnetv2_b0\.in1k"):
        TimmBackbone("tf_efficientnetv2_b0.in22k").build(load_weights=True)


def test_a_tag_chooses_weights_and_not_another_network():
    with torch.device("meta"):
        plain, tagged = (
            TimmBackbone(name).build(load_weights=True).module.state_dict()
            for name in ("tf_efficientnetv2_b3", "tf_efficientnetv2_b3.in21k_ft_in1k")
        )
    assert {name: value.shape for name, value in plain.items()} == {
        name: value.shape for name, value in tagged.items()
    }


@pytest.mark.parametrize(
    ("name", "side"),
    [("tf_efficientnetv2_b0", 224), ("tf_efficientnetv2_s.in21k", 384), ("test_vit", 160)],
)
def test_the_models_own_size_is_the_one_timm_tests_it_at(name, side):
    assert TimmBackbone(name).image_size() == (side, side)


def test_a_network_of_ones_own_may_have_no_size():
    class Mine(Backbone):
        def build(self, load_weights: bool) -> FeatureNetwork:
            raise NotImplementedError

    with pytest.raises(ValueError, match="Mine names no size; pass false and --transforms"):
        own_image_size(Mine())


@pytest.mark.parametrize(
    "name", ["test_efficientnet", "test_vit", "test_convnext", "test_mambaout", "test_nfnet"]
)
def test_the_width_and_the_normalisation_are_the_models_own(name):
    network = TimmBackbone(name).build(load_weights=True)
    data = timm.data.resolve_model_data_config(timm.create_model(name))
    assert (network.mean, network.std) == (data["mean"], data["std"])
    with torch.inference_mode():
        assert network.module.eval()(torch.rand(1, 3, 160, 160)).shape == (1, network.n_features)


def test_settings_override_the_models_normalisation_and_reach_timm():
    network = TimmBackbone(NAME, mean=(0.1, 0.2, 0.3), options={"in_chans": 3}).build(False)
    assert network.mean == (0.1, 0.2, 0.3)
    assert network.std == (0.229, 0.224, 0.225)


def test_an_option_the_model_does_not_take_is_named():
    with pytest.raises(ValueError, match=r"options=\{'colour': 'red'\}.*colour"):
        TimmBackbone(NAME, options={"colour": "red"}).build(load_weights=True)


def test_two_sources_of_weights_are_refused():
    with pytest.raises(ValueError, match="exclude each other"):
        TimmBackbone(NAME, pretrained=True, weights=Path("a.pt")).build(load_weights=True)


def test_weights_are_not_read_where_a_checkpoint_follows():
    TimmBackbone(NAME, weights=Path("nowhere.safetensors")).build(load_weights=False)
    TimmBackbone(NAME, pretrained=True).build(load_weights=False)
