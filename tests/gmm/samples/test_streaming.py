import weakref
from typing import get_args

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import gmm
from gmm.covariance import COVARIANCES
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType
from gmm.samples import streaming
from gmm.samples.chunks import Chunks
from gmm.samples.in_memory import InMemory
from gmm.samples.streaming import drawn_positions, regroup


def test_a_fit_to_chunks_is_the_fit_to_the_whole(whole, blobs, cut, assert_same_fit, streamed):
    assert_same_fit(streamed(whole, cut(blobs)), whole)


def test_a_low_rank_fit_to_chunks_is_the_fit_to_the_whole(blobs, cut, assert_same_fit, streamed):
    settings = {"covariance_type": "low_rank", "rank": 2, "n_init": 2, "random_state": 0}
    whole = GaussianMixture(3, **settings).fit(blobs)
    assert_same_fit(streamed(whole, cut(blobs)), whole)


def test_a_bayesian_fit_to_chunks_is_the_fit_to_the_whole(blobs, cut):
    whole = gmm.BayesianGaussianMixture(5, random_state=0, max_iter=500).fit(blobs)
    found = gmm.BayesianGaussianMixture(**whole.get_params()).fit(cut(blobs))
    np.testing.assert_allclose(found.means_, whole.means_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.lower_bounds_, whole.lower_bounds_, rtol=1e-11)


def test_no_chunk_is_held_once_the_next_ones_are_read(blobs):
    born, most_alive = [], 0

    def read():
        nonlocal most_alive
        for part in np.split(blobs, 15):
            chunk = torch.from_numpy(part.copy())
            born.append(weakref.ref(chunk))
            most_alive = max(most_alive, sum(ref() is not None for ref in born))
            yield chunk
            del chunk

    found = GaussianMixture(3, random_state=0).fit(Chunks(read))
    # The one that is read and, while its generator has not come back yet, the one before it.
    assert len(born) == 15 * (2 + found.n_iter_)
    assert most_alive <= 2


def test_a_pass_is_read_per_iteration_and_two_before_the_first(blobs, cut):
    n_passes = 0

    def read():
        nonlocal n_passes
        n_passes += 1
        return iter(cut(blobs))

    found = GaussianMixture(3, random_state=0).fit(Chunks(read))
    assert n_passes == 2 + found.n_iter_


def test_of_many_samples_a_start_is_looked_for_among_a_few(
    blobs, monkeypatch, cut, assert_same_fit
):
    monkeypatch.setattr(streaming, "MOST_DRAWN", 120)
    fits = [
        GaussianMixture(3, random_state=0, max_iter=500, tol=1e-9).fit(stream)
        for stream in (cut(blobs), cut(blobs, seed=1, n_cuts=30))
    ]
    assert_same_fit(fits[0], fits[1])
    samples = Chunks(cut(blobs)).samples()
    assert len(samples.draw(120, 0).x) == 120
    assert isinstance(samples.draw(120, 0), InMemory)
    whole = GaussianMixture(3, random_state=0, max_iter=500, tol=1e-9).fit(blobs)
    assert fits[0].lower_bound_ == pytest.approx(whole.lower_bound_, abs=0.02)


def test_drawn_positions_are_uniform_and_ascending():
    counts = np.zeros(10)
    for seed in range(2000):
        positions = drawn_positions(10, 4, seed)
        assert (positions.diff() > 0).all()
        counts[positions] += 1
    # 4 standard deviations of a binomial count of mean 800.
    assert (abs(counts - 800) < 4 * 22).all()


@pytest.mark.parametrize("size", [1, 3, 8, 20])
def test_regrouped_rows_are_those_of_the_whole(size):
    x = torch.arange(34.0).reshape(17, 2)
    parts = [part.clone() for part in regroup(x.split(5), torch.empty(size, 2))]
    assert torch.equal(torch.cat(parts), x)
    assert all(len(part) == size for part in parts[:-1])


def test_no_rows_are_one_part_without_rows():
    assert [len(part) for part in regroup([], torch.empty(3, 2))] == [0]


def test_the_second_moments_of_a_stream_are_those_of_the_whole(covariance_type, blobs, cut):
    covariance = COVARIANCES[covariance_type]
    ours = Chunks(cut(blobs)).samples().chunks(covariance, 100)
    theirs = InMemory(torch.from_numpy(blobs)).chunks(covariance, 100)
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-14)


@pytest.mark.filterwarnings("ignore:the best of 1 runs did not converge")
@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_chunks_with_missing_values_are_the_fit_in_memory(covariance_type, holed, tmp_path):
    settings = {"covariance_type": covariance_type, "rank": 2, "max_iter": 8, "tol": 0.0}
    settings |= {"random_state": 0, "missing": "marginalize", "reg_covar": "auto"}
    weights = np.random.default_rng(0).integers(0, 3, len(holed)).astype(float)
    np.save(tmp_path / "x.npy", holed)
    loader = DataLoader(TensorDataset(torch.from_numpy(holed)), batch_size=101)
    for counts in (None, weights):
        whole = GaussianMixture(3, **settings).fit(holed, sample_weight=counts)
        for source in ([holed[:1], holed[1:30], holed[30:]], tmp_path / "x.npy", loader):
            streamed = GaussianMixture(3, **settings).fit(source, sample_weight=counts)
            np.testing.assert_allclose(streamed.lower_bounds_, whole.lower_bounds_, atol=1e-10)
            scores = streamed.score_samples(source)
            np.testing.assert_allclose(scores, streamed.score_samples(holed), atol=1e-10)


def test_chunks_with_infinite_values_or_empty_columns_are_refused(holed):
    mixture = GaussianMixture(2, missing="marginalize")
    infinite = np.where(np.isnan(holed), np.inf, holed)
    with pytest.raises(ValueError, match=r"chunks\[1\]\[0, 0\] is inf"):
        mixture.fit([holed, infinite])
    holed[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 of x is NaN in every sample that counts"):
        mixture.fit([holed[:20], holed[20:]])
