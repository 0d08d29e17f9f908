from typing import get_args

import numpy as np
import pytest
import torch

from gmm import initialization
from gmm.covariance import COVARIANCES
from gmm.likelihood import Likelihood
from gmm.options import InitMethod
from gmm.samples import InMemory

METHODS = get_args(InitMethod)


def responsibilities(x, method, seeds, k=3):
    return torch.cat(
        list(initialization.start(InMemory(x), k, method, seeds).responsibilities()), 2
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_restart_does_not_depend_on_its_batch_mates(method, blobs):
    x = torch.from_numpy(blobs)
    together = responsibilities(x, method, [3, 1, 4])
    for row, seed in enumerate([3, 1, 4]):
        assert torch.equal(together[row], responsibilities(x, method, [seed])[0])


@pytest.mark.parametrize("method", METHODS)
def test_a_start_can_be_read_twice(method, blobs):
    start = initialization.start(InMemory(torch.from_numpy(blobs)), 3, method, [0])
    first, second = (torch.cat(list(start.responsibilities()), 2) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["kmeans", "random"])
def test_every_sample_is_shared_out_wholly(method, blobs):
    resp = responsibilities(torch.from_numpy(blobs), method, [0, 1])
    torch.testing.assert_close(resp.sum(1), torch.ones(2, 450, dtype=torch.float64))


@pytest.mark.parametrize("method", ["k-means++", "random_from_data"])
def test_every_component_starts_at_a_sample_of_its_own(method, blobs):
    x = torch.from_numpy(blobs)
    samples = InMemory(x)
    parameters, valid = initialization.start(samples, 5, method, [0, 1]).parameters(
        samples, Likelihood(COVARIANCES["full"], 1e-6)
    )
    assert valid.all()
    for means in parameters.means:
        nearest = torch.cdist(means, x).min(1)
        assert nearest.values.max() < 1e-6  # cdist cancels
        assert len(set(nearest.indices.tolist())) == 5


def test_random_responsibilities_cross_part_borders(monkeypatch, blobs):
    monkeypatch.setattr(initialization, "PART", 100)
    parts = list(
        initialization.start(InMemory(torch.from_numpy(blobs)), 2, "random", [0]).responsibilities()
    )
    assert [part.shape[2] for part in parts] == [100, 100, 100, 100, 50]
    assert not np.allclose(parts[0], parts[1])
