import torch

from cellxai.explain.metrics.noise import uniform_cube


def test_noise_belongs_to_the_image(images):
    assert torch.equal(uniform_cube(images[0], 5, 0), uniform_cube(images[0], 5, 0))
    assert (uniform_cube(images[0], 5, 0) != uniform_cube(images[1], 5, 0)).any()
    cube = uniform_cube(images[0], 50, 0)
    assert -1 <= cube.min() < -0.99
    assert 0.99 < cube.max() <= 1
