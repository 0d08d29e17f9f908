import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from gmm.em.initialization import generators
from gmm.em.kmeans import (
    assign,
    draw_in_proportion,
    kmeans,
    means_of_clusters,
    spread_samples,
    squared_distances,
)


def separated(n_clusters: int = 5) -> tuple[torch.Tensor, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.arange(400) % n_clusters
    centres = random.permutation(np.eye(n_clusters, 6)) * 20
    return torch.from_numpy(centres[labels] + random.normal(size=(400, 6))), labels


def test_separated_clusters_are_found_by_every_restart():
    x, expected = separated()
    for clusters in kmeans(x - x.mean(0), 5, generators(range(6))):
        assert adjusted_rand_score(expected, clusters) == 1.0


def test_inertia_is_as_low_as_that_of_scikit_learn(blobs):
    x = torch.from_numpy(blobs - blobs.mean(0))
    labels = kmeans(x, 3, generators(range(10)))
    inertia = min(
        sum(float(x[run == k].var(0, correction=0).sum()) * int((run == k).sum()) for k in range(3))
        for run in labels
    )
    reference = KMeans(3, n_init=10, random_state=0).fit(x.numpy()).inertia_
    assert inertia <= reference * 1.001


def test_a_restart_does_not_depend_on_its_batch_mates(blobs):
    x = torch.from_numpy(blobs - blobs.mean(0))
    together = kmeans(x, 3, generators([4, 5, 6]))
    for row, seed in enumerate([4, 5, 6]):
        assert torch.equal(together[row], kmeans(x, 3, generators([seed]))[0])


def test_seeds_are_different_samples_from_different_clusters():
    x, labels = separated()
    for chosen in spread_samples(x, 5, generators(range(20))):
        assert len(set(labels[chosen])) == 5


def test_draws_follow_the_mass_and_never_hit_a_zero():
    mass = torch.tensor([[0.0, 1.0, 0.0, 3.0, 0.0]])
    numbers = torch.linspace(0, 1 - 1e-9, 4001, dtype=torch.float64)[None]
    counts = draw_in_proportion(mass, numbers)[0].bincount(minlength=5)
    assert counts[[0, 2, 4]].sum() == 0
    assert abs(counts[3] / counts.sum() - 0.75) < 1e-3


def test_an_empty_cluster_moves_to_the_farthest_sample():
    x = torch.tensor([[0.0], [1.0], [9.0]])
    centres = torch.tensor([[[0.4], [1e6]]])
    assert means_of_clusters(x, assign(x, centres), centres, torch.ones(3))[0, 1] == 9
    assert (
        means_of_clusters(x, assign(x, centres), centres, torch.tensor([1.0, 1.0, 0.0]))[0, 1] == 1
    )


def test_distances_are_those_of_the_definition():
    x, centres = torch.randn(20, 3), torch.randn(2, 4, 3)
    expected = torch.cdist(centres, x.expand(2, -1, -1)).square()
    torch.testing.assert_close(squared_distances(x, centres), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(assign(x, centres), expected.argmin(1))


def weighted(blobs):
    """Samples, and how often each counts: 0 to 3 times."""
    x = torch.from_numpy(blobs - blobs.mean(0))
    return x, torch.arange(len(x)).remainder(4)


@pytest.mark.parametrize("cluster", [kmeans, spread_samples])
def test_a_weight_of_zero_is_a_sample_removed(blobs, cluster):
    x, counts = weighted(blobs)
    once = (counts > 0).double()
    kept = counts.nonzero()[:, 0]
    whole = cluster(x, 4, generators([0, 1]), once)
    part = cluster(x[kept], 4, generators([0, 1]))
    if cluster is kmeans:
        assert torch.equal(whole[:, kept], part)
    else:
        assert torch.equal(whole, kept[part])


def test_a_weight_of_two_is_a_sample_repeated(blobs):
    x, counts = weighted(blobs)
    repeated = torch.arange(len(x)).repeat_interleave(counts)
    found = kmeans(x, 4, generators([0, 1]), counts.double())
    assert torch.equal(found[:, repeated], kmeans(x[repeated], 4, generators([0, 1])))
