import timm
import torch

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.weights import adapt_stem

NAME = "test_efficientnet"
MOMENTS = (0.1, 0.2, 0.3, 0.4, 0.5), (0.2, 0.2, 0.3, 0.3, 0.4)


def test_a_network_takes_as_many_planes_as_it_has_means():
    network = TimmBackbone(NAME).for_planes(*MOMENTS).build(load_weights=False)
    assert network.module(torch.rand(2, 5, 32, 32)).shape == (2, network.n_features)
    assert (network.mean, network.std) == MOMENTS


def test_moments_of_the_config_stay():
    own = TimmBackbone(NAME, mean=(0.5,) * 5)
    assert own.for_planes(*MOMENTS).mean == (0.5,) * 5
    assert own.for_planes(*MOMENTS).std == MOMENTS[1]


def test_the_stem_of_a_local_file_is_adapted_as_timm_adapts_its_own():
    colours = timm.create_model(NAME, num_classes=0)
    state = colours.state_dict()
    for n_planes in (1, 2, 5):
        model = timm.create_model(NAME, num_classes=0, in_chans=n_planes)
        adapted = adapt_stem(state, model.state_dict(), model)
        model.load_state_dict(adapted)
        stem = adapted["conv_stem.weight"]
        if n_planes == 1:  # equal planes and one plane give the same
            image = torch.rand(2, 1, 32, 32)
            equal = colours.eval()(image.expand(-1, 3, -1, -1))
            torch.testing.assert_close(model.eval()(image), equal, rtol=1e-4, atol=1e-5)
        else:
            expected = state["conv_stem.weight"].repeat(1, 2, 1, 1)[:, :n_planes] * 3 / n_planes
            torch.testing.assert_close(stem, expected)


def test_permuted_planes_with_a_permuted_stem_give_the_same_features():
    order = [3, 0, 4, 1, 2]
    network = TimmBackbone(NAME).for_planes(*MOMENTS).build(load_weights=False).module.eval()
    images = torch.rand(2, 5, 32, 32)
    expected = network(images)
    stem = network.get_submodule("conv_stem").weight
    stem.data = stem.data[:, order].contiguous()
    torch.testing.assert_close(network(images[:, order]), expected)
