"""How often a GPU is launched and waited for: asserted, for a second of either costs the same."""

import pytest
import torch
from pretended_cuda import Counts, counted
from small_training import cells, settings, weights
from torch import Tensor, nn

from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.lime.lime import Lime
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.fit import fit
from gmm import GaussianMixture
from gmm.covariance import COVARIANCES
from gmm.em import loop
from gmm.em.kmeans import assign, means_of_clusters
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import InMemory
from gmm.samples.survey import survey

__all__ = ["cells", "settings", "weights"]

# Launches of an iteration of EM, whatever the number of samples of a chunk; issue 21 asks for 150
# of full and 100 of spherical covariances, and for 2 waits instead of 3.
LAUNCHES = {"full": 157, "tied": 165, "diag": 140, "spherical": 140}


def samples_of(n: int, d: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0)).cuda()


def iterate(covariance_type: str, n_iterations: int, dtype: torch.dtype) -> Counts:
    d, k = 8, 8
    x, covariance = samples_of(20_000, d).to(dtype), COVARIANCES[covariance_type]
    shape = covariance.inner_shape(k, d)
    chol = torch.eye(d).double().expand(shape) if len(shape) == 3 else torch.ones(shape).double()
    weights = torch.full((1, k), 1 / k, dtype=torch.float64).cuda()
    start = Parameters(weights, x[None, :k].double(), chol[None].clone().cuda())
    sound = torch.ones(1, dtype=torch.bool).cuda()
    with counted() as counts:
        objective = Likelihood(covariance, 1e-6)
        loop.run(InMemory(x), start, sound, objective, max_iter=n_iterations, tol=0.0)
    return counts


@pytest.mark.parametrize("covariance_type", LAUNCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_an_iteration_of_em_waits_two_or_three_times(covariance_type: str, dtype) -> None:
    first, second = (iterate(covariance_type, n, dtype) for n in (1, 2))
    # In float32 it is also asked which runs need more digits.
    assert second.n_syncs - first.n_syncs <= (3 if dtype == torch.float32 else 2), second
    assert second.n_launches - first.n_launches <= LAUNCHES[covariance_type], second


def test_missing_values_cost_no_wait_of_their_own() -> None:
    x = samples_of(1000, 16).double()
    x[torch.rand(1000, 16, generator=torch.Generator().manual_seed(1)).cuda() < 0.1] = torch.nan
    spent = []
    for n_iterations in (1, 2):
        settings = {"max_iter": n_iterations, "tol": 0.0, "random_state": 0}
        with counted() as counts:
            GaussianMixture(4, missing="marginalize", **settings).fit(x)
        spent.append(counts)
    assert spent[1].n_syncs - spent[0].n_syncs <= 2, spent[1]
    assert spent[1].n_launches - spent[0].n_launches <= 520, spent[1]


def test_a_round_of_lloyd_is_ten_launches_and_one_wait_however_many_samples() -> None:
    for n in (2_000, 100_000):
        x = samples_of(n, 4)
        centres = x[None, :64].clone()
        with counted() as counts:
            means_of_clusters(x, assign(x, centres), centres, None)
        assert counts.n_launches <= 10, counts
        assert counts.n_syncs <= 1, counts


def test_the_first_look_at_samples_waits_once_for_a_chunk() -> None:
    x = samples_of(50_000, 4)
    with counted() as counts:
        survey([x, x])
    assert counts.n_syncs <= 2, counts
    assert counts.n_launches <= 110, counts


def test_a_start_is_few_launches_however_many_samples() -> None:
    mixture = GaussianMixture(8, random_state=0, max_iter=1, tol=9.0, init_params="k-means++")
    few, many = samples_of(2_000, 4), samples_of(60_000, 4)
    launches = []
    for x in (few, many):
        with counted() as counts:
            mixture.fit(x)
        launches.append(counts.n_launches)
    assert launches[1] <= 1.2 * launches[0] + 50, launches


def test_lime_waits_as_often_for_many_batches_as_for_few() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(3)).eval()
    net(torch.rand(1, 3, 32, 32))
    net.cuda()
    images, targets = torch.rand(1, 3, 32, 32).cuda(), torch.tensor([0]).cuda()
    counts: dict[int, Counts] = {}
    for batch_size in (128, 16):
        context = context_of(images, Grid(8), BlurBaseline(), batch_size=batch_size)
        with counted() as counts[batch_size]:
            attribute_with_cost(Lime(128), net, images, targets, context, memory=False)
    assert counts[16].n_syncs == counts[128].n_syncs, counts[16]
    per_batch = (counts[16].n_launches - counts[128].n_launches) / 7
    assert per_batch <= 18, counts[16]  # of which the network has four


def test_an_epoch_waits_a_counted_number_of_times(settings, tmp_path) -> None:
    spent = []
    for epochs in (1, 2):
        given = settings(epochs=epochs, device="cuda", early_stopping_patience=None)
        with counted() as counts:
            fit(run=tmp_path / str(epochs), **given)
        spent.append(counts)
    # Of an epoch of 4 steps with validation and checkpoints. Most are Lightning's own, of the
    # optimiser and of what is logged; ours are an event a step, which the device is past by then.
    assert spent[1].n_syncs - spent[0].n_syncs <= 45, spent[1]
    assert spent[1].n_launches - spent[0].n_launches <= 1200, spent[1]
