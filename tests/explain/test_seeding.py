import contextlib

import numpy as np
import torch

from cellxai.explain.seeding import generator_of, image_seed, seeded


def test_a_seed_belongs_to_an_image_and_a_number(images):
    seeds = {image_seed(image, seed) for image in images for seed in (0, 1)}
    assert len(seeds) == 6
    assert image_seed(images[0].clone(), 0) == image_seed(images[0], 0)
    drawn = [torch.rand(3, generator=generator_of(images[0], 0)) for _ in range(2)]
    assert torch.equal(*drawn)


def test_the_global_generators_are_seeded_and_given_back_even_after_an_error(images):
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    drawn = []
    for _ in range(2):
        with contextlib.suppress(RuntimeError), seeded(images[0], 3):
            drawn.append((torch.rand(1).item(), np.random.rand()))  # noqa: NPY002
            raise RuntimeError
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
