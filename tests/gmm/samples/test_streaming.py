import weakref

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.utils.data import DataLoader, TensorDataset

import gmm
from gmm.covariance import COVARIANCES
from gmm.estimator import GaussianMixture
from gmm.samples import chunks, streaming
from gmm.samples.chunks import Chunks, as_chunks
from gmm.samples.in_memory import InMemory
from gmm.samples.streaming import drawn_positions, regrouped

ATTRIBUTES = ("weights_", "means_", "covariances_")
EXACTLY = {"rtol": 1e-12, "atol": 1e-12}


def cut(x, seed=0, n_cuts=9):
    """Chunks of random lengths, some of them empty."""
    places = np.random.default_rng(seed).integers(0, len(x), n_cuts)
    return np.split(x, np.sort(places))


def assert_same_fit(found, expected):
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.lower_bounds_, expected.lower_bounds_, **EXACTLY)
    for name in ATTRIBUTES:
        values, wanted = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(np.asarray(values), wanted, err_msg=name, **EXACTLY)


@pytest.fixture
def whole(covariance_type, blobs):
    settings = {"covariance_type": covariance_type, "n_init": 2, "random_state": 0}
    return GaussianMixture(3, **settings).fit(blobs)


def streamed(whole, stream, **others):
    return GaussianMixture(**whole.get_params()).fit(stream, **others)


def test_a_fit_to_chunks_is_the_fit_to_the_whole(whole, blobs):
    assert_same_fit(streamed(whole, cut(blobs)), whole)


def test_a_low_rank_fit_to_chunks_is_the_fit_to_the_whole(blobs):
    settings = {"covariance_type": "low_rank", "rank": 2, "n_init": 2, "random_state": 0}
    whole = GaussianMixture(3, **settings).fit(blobs)
    assert_same_fit(streamed(whole, cut(blobs)), whole)


def test_a_bayesian_fit_to_chunks_is_the_fit_to_the_whole(blobs):
    whole = gmm.BayesianGaussianMixture(5, random_state=0, max_iter=500).fit(blobs)
    found = gmm.BayesianGaussianMixture(**whole.get_params()).fit(cut(blobs))
    np.testing.assert_allclose(found.means_, whole.means_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.lower_bounds_, whole.lower_bounds_, rtol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 7, 450, 1000])
def test_a_dataloader_of_any_batch_size_gives_the_fit_to_the_whole_as_tensors(blobs, batch_size):
    loader = DataLoader(TensorDataset(torch.from_numpy(blobs)), batch_size=batch_size)
    whole = GaussianMixture(3, random_state=0).fit(blobs)
    found = streamed(whole, loader)
    assert isinstance(found.means_, torch.Tensor)
    assert_same_fit(found, whole)


def test_a_shuffling_dataloader_gives_the_fit_to_the_whole_from_the_same_start(blobs):
    loader = DataLoader(TensorDataset(torch.from_numpy(blobs)), batch_size=32, shuffle=True)
    first = GaussianMixture(3, max_iter=0, random_state=0).fit(blobs)
    start = {
        "weights_init": first.weights_,
        "means_init": first.means_,
        "precisions_init": first.precisions_,
    }
    whole = GaussianMixture(3, **start).fit(blobs)
    assert_same_fit(GaussianMixture(3, **start).fit(loader), whole)


@pytest.mark.parametrize("write", ["npy", "safetensors", "memmap", "function", "1-tuples"])
def test_every_source_gives_the_fit_to_the_whole(blobs, tmp_path, write, monkeypatch):
    monkeypatch.setattr(chunks, "CUT", 50 * 4)  # chunks of 50 rows
    np.save(tmp_path / "x.npy", blobs)
    save_file({"x": blobs}, tmp_path / "x.safetensors")
    source = {
        "npy": tmp_path / "x.npy",
        "safetensors": Chunks(str(tmp_path / "x.safetensors")),
        "memmap": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "function": Chunks(lambda: (part for part in cut(blobs))),
        "1-tuples": [(part,) for part in cut(blobs)],
    }[write]
    whole = GaussianMixture(3, random_state=0).fit(blobs)
    found = streamed(whole, source)
    assert isinstance(found.means_, np.ndarray)
    assert_same_fit(found, whole)
    np.testing.assert_allclose(found.score_samples(source), whole.score_samples(blobs), **EXACTLY)
    assert (found.predict(source) == whole.predict(blobs)).all()
    assert found.predict_proba(source).shape == (len(blobs), 3)
    assert found.bic(source) == pytest.approx(whole.bic(blobs), rel=1e-12)


def test_weights_of_a_stream_are_in_its_order(whole, blobs):
    weights = np.random.default_rng(1).integers(0, 3, len(blobs)).astype(float)
    expected = GaussianMixture(**whole.get_params()).fit(blobs, sample_weight=weights)
    assert_same_fit(streamed(whole, cut(blobs), sample_weight=weights), expected)


def test_float32_chunks_give_a_float32_mixture_of_equal_bound(blobs):
    whole = GaussianMixture(3, random_state=0).fit(blobs.astype(np.float32))
    found = streamed(whole, cut(blobs.astype(np.float32)))
    assert found.means_.dtype == np.float32
    assert found.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-6)


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


def test_a_pass_is_read_per_iteration_and_two_before_the_first(blobs):
    n_passes = 0

    def read():
        nonlocal n_passes
        n_passes += 1
        return iter(cut(blobs))

    found = GaussianMixture(3, random_state=0).fit(Chunks(read))
    assert n_passes == 2 + found.n_iter_


def test_of_many_samples_a_start_is_looked_for_among_a_few(blobs, monkeypatch):
    monkeypatch.setattr(streaming, "MOST_DRAWN", 120)
    fits = [
        GaussianMixture(3, random_state=0, max_iter=500, tol=1e-9).fit(stream)
        for stream in (cut(blobs), cut(blobs, seed=1, n_cuts=30))
    ]
    assert_same_fit(fits[0], fits[1])
    samples = Chunks(cut(blobs)).samples()
    assert len(samples.drawn(120, 0).x) == 120
    assert isinstance(samples.drawn(120, 0), InMemory)
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
    parts = [part.clone() for part in regrouped(x.split(5), torch.empty(size, 2))]
    assert torch.equal(torch.cat(parts), x)
    assert all(len(part) == size for part in parts[:-1])


def test_no_rows_are_one_part_without_rows():
    assert [len(part) for part in regrouped([], torch.empty(3, 2))] == [0]


def test_the_variance_far_from_the_origin_is_that_at_it(blobs):
    # At 1e8 the samples themselves are rounded to 1.5e-8.
    found = Chunks(cut(blobs + 1e8)).samples()
    assert found.variance == pytest.approx(blobs.var(0).mean(), rel=1e-7)
    np.testing.assert_allclose(found.reference, blobs.mean(0) + 1e8, rtol=1e-15)


def test_a_matrix_is_no_stream(blobs):
    matrices = [blobs, torch.from_numpy(blobs), blobs.tolist(), list(blobs), "x.npy", [], {}]
    assert [as_chunks(matrix) for matrix in matrices] == [None] * len(matrices)


def test_what_cannot_be_streamed_is_refused_in_one_line(blobs):
    fit = GaussianMixture(3).fit
    with_nan = blobs.copy()
    with_nan[7, 2] = np.nan
    cases = {
        r"a generator, which can be read only once.*DataLoader": lambda: fit(c for c in [blobs]),
        r"chunks\[1\]\[7, 2\] is NaN": lambda: fit([blobs, with_nan]),
        r"chunks\[1\] has 2 columns, expected 4": lambda: fit([blobs, blobs[:, :2]]),
        r"chunks\[0\] is a tuple of 2, expected one matrix": lambda: fit([(blobs, blobs[:, 0])]),
        r"chunks\[1\] has shape \(450,\)": lambda: fit([blobs, blobs[:, 0]]),
        r"chunks\[0\] has .* dtype complex128": lambda: fit([blobs * 1j]),
        r"no samples": lambda: fit(Chunks([])),
        r"come from a int, expected a DataLoader": lambda: Chunks(3),
        r"sample_weight has 5 numbers, expected 450": lambda: fit([blobs], sample_weight=[1] * 5),
        r"sample_weight is 0 for every": lambda: fit([blobs], sample_weight=np.zeros(450)),
        r"had 450 samples in the first pass and 0 in a later": lambda: fit(exhausted(blobs)),
        r"n_components=3 needs .* n_samples=2": lambda: fit([blobs[:1], blobs[1:2]]),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npy: no such file"):
        fit(Chunks("nowhere.npy"))


def exhausted(x):
    """A source that does not begin anew."""
    once = iter([x])
    return Chunks(lambda: once)


def test_the_second_moments_of_a_stream_are_those_of_the_whole(covariance_type, blobs):
    covariance = COVARIANCES[covariance_type]
    ours = Chunks(cut(blobs)).samples().chunks(covariance, 100)
    theirs = InMemory(torch.from_numpy(blobs)).chunks(covariance, 100)
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-14)
