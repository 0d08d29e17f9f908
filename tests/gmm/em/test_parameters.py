import torch

from gmm.em.parameters import Parameters


def batch(n_runs: int) -> Parameters:
    source = torch.Generator().manual_seed(0)
    weights = torch.rand(n_runs, 3, generator=source).softmax(-1)
    means = torch.randn(n_runs, 3, 2, generator=source)
    return Parameters(weights, means, torch.rand(n_runs, 3, 2, generator=source))


def test_the_centre_is_the_mean_of_many_samples():
    parameters = batch(1)
    expected = (parameters.weights[0, :, None] * parameters.means[0]).sum(0)
    torch.testing.assert_close(parameters.centre, expected)


def test_translation_moves_the_means_and_nothing_else():
    before = batch(2)
    after = before.translate(torch.tensor([1.0, -2.0]))
    moved = after.means - before.means
    torch.testing.assert_close(moved, torch.tensor([1.0, -2.0]).expand(2, 3, 2))
    assert after.weights is before.weights
    assert after.precisions_cholesky is before.precisions_cholesky


def test_replaced_runs_come_back_when_they_are_selected():
    three, two = batch(3), batch(2)
    rows = torch.tensor([2, 0])
    result = three.replace_runs(rows, two)
    assert torch.equal(result.select(rows).means, two.means)
    assert torch.equal(result.means[1], three.means[1])
