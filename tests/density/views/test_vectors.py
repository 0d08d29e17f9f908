import numpy as np
import torch

from cellxai.density.views import Logits, Penultimate, Pixels, PooledLayer, Seen, Tones


def draw(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_a_layer_is_pooled_to_means_and_deviations_over_places():
    output = draw(2, 3, 4, 5)
    rows = PooledLayer("a").rows(Seen(draw(2, 3, 8, 8), {"a": output}))
    expected = np.c_[output.numpy().mean((2, 3)), output.numpy().std((2, 3))]
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


def test_a_layer_without_places_is_taken_as_it_is():
    output = draw(2, 7)
    assert torch.equal(PooledLayer("a").rows(Seen(draw(2, 3, 8, 8), {"a": output})), output)


def test_the_last_layers_are_taken_as_they_are():
    features, logits = draw(2, 6), draw(2, 3)
    seen = Seen(draw(2, 3, 8, 8), {}, features, logits)
    assert Penultimate().rows(seen) is features
    assert Logits().rows(seen) is logits


def test_pixels_are_means_over_what_each_small_one_covers():
    images = draw(2, 3, 8, 8)
    small = Pixels(side=4, planes=1).rows(Seen(images, {}))
    expected = images[:, 0].reshape(2, 4, 2, 4, 2).mean((2, 4)).flatten(1)
    torch.testing.assert_close(small, expected)
    assert torch.equal(Pixels(side=None).rows(Seen(images, {})), images.flatten(1))
    assert Pixels(side=64).rows(Seen(images, {})).shape == (2, 3 * 64)


def test_tones_are_numbers_of_the_grey_levels_whatever_lies_where():
    images = draw(1, 3, 8, 8)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    mixed = images.flatten(2)[:, :, order].reshape(images.shape)
    tones = Tones(planes=1).rows(Seen(images, {}))
    torch.testing.assert_close(Tones(planes=1).rows(Seen(mixed, {})), tones)
    levels = images[0, 0].numpy().ravel()
    expected = [levels.mean(), levels.std(), *np.quantile(levels, [0.01, 0.25, 0.5, 0.75, 0.99])]
    np.testing.assert_allclose(tones[0], expected, rtol=1e-4)


def test_an_even_image_has_a_gradient():
    images = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    Tones().rows(Seen(images, {})).sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
