import numpy as np
import pytest
import torch
from sklearn.base import clone

import gmm
from gmm.covariance import COVARIANCES
from gmm.em import stepwise
from gmm.estimator import GaussianMixture
from gmm.samples.in_memory import InMemory


def batches(x, size, n_epochs=1):
    random = np.random.default_rng(0)
    return [
        part for _ in range(n_epochs) for part in np.split(random.permutation(x), len(x) // size)
    ]


@pytest.fixture
def fitted(covariance_type, blobs):
    return GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(blobs)


def remember(mixture, weight):
    covariance = COVARIANCES[mixture.covariance_type]
    return stepwise.remember(None, mixture.parameters_, covariance, weight)


def test_recalled_samples_have_the_moments_of_the_mixture(fitted):
    covariance = COVARIANCES[fitted.covariance_type]
    points = remember(fitted, 450.0).points
    parameters = fitted.parameters_
    weights = points.weights / 450
    dense = covariance.dense(parameters.precisions_cholesky, 3, 4)[0]
    mean = torch.from_numpy(fitted.weights_ @ fitted.means_)
    deviations = parameters.means[0] - mean
    within = torch.einsum("k,kde->de", parameters.weights[0], dense)
    between = torch.einsum("k,kd,ke->de", parameters.weights[0], deviations, deviations)
    torch.testing.assert_close(weights @ points.x, mean)
    centred = points.x - mean
    torch.testing.assert_close((weights[:, None] * centred).T @ centred, within + between)


def test_the_m_step_of_what_is_remembered_is_the_mixture(fitted):
    memory = remember(fitted, 450.0)
    fitted.reg_covar = 0.0
    maximum = fitted._objective(memory.points).maximise(memory.statistics)
    found, valid = maximum.parameters, maximum.valid
    assert valid.all()
    found = found.translate(memory.points.reference)
    for name in ("weights", "means", "precisions_cholesky"):
        torch.testing.assert_close(getattr(found, name), getattr(fitted.parameters_, name))


def test_with_decay_1_batches_under_one_mixture_are_remembered_as_their_sum(fitted, blobs):
    parameters, objective = fitted.parameters_, fitted._objective(InMemory(torch.from_numpy(blobs)))
    reference = parameters.centre
    current = parameters.translate(-reference)

    def statistics(rows):
        return objective.expectation(InMemory(rows, None, reference), current)

    first, second = torch.from_numpy(blobs).split([130, 320])
    found = stepwise.blend(statistics(first), statistics(second), 1.0)
    expected = statistics(torch.from_numpy(blobs))
    for name in ("weight", "log_density", "counts", "first", "second"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


def test_for_equal_batches_the_step_is_that_of_liang_and_klein(fitted, blobs):
    parameters, objective = fitted.parameters_, fitted._objective(InMemory(torch.from_numpy(blobs)))
    batch = InMemory(torch.from_numpy(blobs))
    new = objective.expectation(batch, parameters.translate(-batch.reference))
    nothing = stepwise.scale(new, torch.tensor(0.0))
    for t in range(4):
        # Before it, t + 1 batches of the same weight, of which only the weight is not 0.
        memory = stepwise.Statistics(
            new.weight * (t + 1), nothing.log_density, nothing.counts, nothing.first, nothing.second
        )
        found = stepwise.blend(memory, new, 0.7)
        per_sample = found.counts / found.weight / (new.counts / new.weight)
        torch.testing.assert_close(per_sample, torch.full_like(per_sample, (t + 2) ** -0.7))


def test_batch_by_batch_it_comes_near_the_fit_to_all(covariance_type, blobs):
    whole = GaussianMixture(3, covariance_type=covariance_type, random_state=0, tol=1e-6)
    found = clone(whole)
    whole.set_params(max_iter=500).fit(blobs)
    for batch in batches(blobs, 90, n_epochs=40):
        found.partial_fit(batch)
    assert found.n_samples_seen_ == 40 * 450
    assert found.score(blobs) > whole.score(blobs) - 0.05


def test_the_first_batch_is_fitted_and_fit_starts_anew(blobs):
    found = GaussianMixture(3, random_state=0).partial_fit(blobs)
    fitted = GaussianMixture(3, random_state=0).fit(blobs)
    assert (found.means_ == fitted.means_).all()
    found.partial_fit(blobs[:50]).fit(blobs)
    assert (found.means_ == fitted.means_).all()
    assert not hasattr(found, "statistics_")


def test_a_small_batch_changes_a_fit_little(fitted, blobs):
    before = fitted.means_.copy()
    fitted.partial_fit(blobs[:1])
    assert 0 < abs(fitted.means_ - before).max() < 0.2
    assert fitted.n_iter_ == len(fitted.lower_bounds_)
    assert not fitted.converged_


def test_an_integer_weight_is_repetition(blobs):
    weights = np.arange(450) % 3
    twice = [GaussianMixture(3, random_state=0).fit(blobs) for _ in range(2)]
    weighted = twice[0].partial_fit(blobs, sample_weight=weights)
    repeated = twice[1].partial_fit(np.repeat(blobs, weights, axis=0))
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-10)


def test_saved_in_between_it_goes_on_as_if_it_had_not_been(blobs, tmp_path):
    first, second, third = batches(blobs, 150)
    straight = GaussianMixture(3, random_state=0).partial_fit(first).partial_fit(second)
    gmm.save(straight, tmp_path / "mixture.safetensors")
    loaded = gmm.load(tmp_path / "mixture.safetensors").partial_fit(third)
    straight.partial_fit(third)
    np.testing.assert_allclose(loaded.means_, straight.means_, rtol=1e-12)


def test_tensors_stay_tensors_and_float32_stays_float32(blobs):
    x = torch.from_numpy(blobs).float()
    found = GaussianMixture(3, random_state=0).partial_fit(x).partial_fit(x[:100])
    assert isinstance(found.means_, torch.Tensor)
    assert found.means_.dtype == torch.float32
    assert found.statistics_["second"].dtype == torch.float64


def test_a_batch_it_cannot_use_is_refused_in_one_line(blobs):
    found = GaussianMixture(3, random_state=0).partial_fit(blobs)
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 4"):
        found.partial_fit(blobs[:, :2])
    for decay in (0.5, 1.5, np.nan, "fast"):
        with pytest.raises(ValueError, match=r"step_decay=.*above 0.5 and at most 1"):
            found.partial_fit(blobs, step_decay=decay)


def test_samples_with_missing_values_leave_a_mixture_that_fits_them(covariance_type, holed):
    settings = {"covariance_type": covariance_type, "random_state": 0, "reg_covar": 0.0}
    settings |= {"tol": 1e-12, "max_iter": 2000, "missing": "marginalize"}
    mixture = GaussianMixture(2, **settings).fit(holed)
    means, covariances, score = mixture.means_, mixture.covariances_, mixture.score(holed)
    mixture.partial_fit(holed)
    assert mixture.lower_bounds_[-1] == pytest.approx(score, abs=1e-12)
    np.testing.assert_allclose(mixture.means_, means, rtol=0, atol=1e-4)
    np.testing.assert_allclose(mixture.covariances_, covariances, rtol=0, atol=1e-3)


def test_a_batch_in_which_a_feature_is_never_known_says_nothing_of_it(holed):
    mixture = GaussianMixture(1, random_state=0, reg_covar=0.0, missing="marginalize").fit(holed)
    means = mixture.means_[0]
    blind = np.full_like(holed, np.nan)
    blind[:, 0] = means[0]
    mixture.partial_fit(blind)
    np.testing.assert_allclose(mixture.means_[0], means, rtol=0, atol=1e-9)


def test_missing_values_in_a_batch_are_refused_unless_declared(holed, blobs):
    mixture = GaussianMixture(2, random_state=0).fit(blobs)
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN"):
        mixture.partial_fit(holed)
