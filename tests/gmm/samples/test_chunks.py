import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.utils.data import (
    DataLoader,
    DistributedSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from gmm.estimator import GaussianMixture
from gmm.samples import chunks
from gmm.samples.chunks import Chunks, as_chunks

EXACTLY = {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("batch_size", [1, 7, 450, 1000])
def test_a_dataloader_of_any_batch_size_gives_the_fit_to_the_whole_as_tensors(
    blobs, batch_size, assert_same_fit, streamed
):
    loader = DataLoader(TensorDataset(torch.from_numpy(blobs)), batch_size=batch_size)
    whole = GaussianMixture(3, random_state=0).fit(blobs)
    found = streamed(whole, loader)
    assert isinstance(found.means_, torch.Tensor)
    assert_same_fit(found, whole)


def test_a_shuffling_dataloader_gives_the_fit_to_the_whole_from_the_same_start(
    blobs, assert_same_fit
):
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
def test_every_source_gives_the_fit_to_the_whole(
    blobs, tmp_path, write, monkeypatch, cut, assert_same_fit, streamed
):
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


def test_weights_of_a_stream_are_in_its_order(whole, blobs, cut, assert_same_fit, streamed):
    weights = np.random.default_rng(1).integers(0, 3, len(blobs)).astype(float)
    expected = GaussianMixture(**whole.get_params()).fit(blobs, sample_weight=weights)
    assert_same_fit(streamed(whole, cut(blobs), sample_weight=weights), expected)


def test_float32_chunks_give_a_float32_mixture_of_equal_bound(blobs, cut, streamed):
    whole = GaussianMixture(3, random_state=0).fit(blobs.astype(np.float32))
    found = streamed(whole, cut(blobs.astype(np.float32)))
    assert found.means_.dtype == np.float32
    assert found.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-6)


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


def shuffled(blobs, **options):
    return DataLoader(TensorDataset(torch.from_numpy(blobs)), batch_size=64, **options)


def test_a_loader_without_an_order_is_refused_where_the_order_matters(blobs):
    weights = np.arange(len(blobs)) + 1.0
    random = {
        "shuffled": shuffled(blobs, shuffle=True),
        "subset": shuffled(blobs, sampler=SubsetRandomSampler(range(len(blobs)))),
        "weighted": shuffled(blobs, sampler=WeightedRandomSampler(weights, len(blobs))),
        "distributed": shuffled(blobs, sampler=DistributedSampler(range(450), 1, 0)),
    }
    mixture = GaussianMixture(1).fit(blobs)
    for loader in random.values():
        with pytest.raises(ValueError, match="expected the order of its data set for sample_w"):
            GaussianMixture(1).fit(loader, sample_weight=weights)
        for ask in (mixture.predict, mixture.score_samples, mixture.predict_proba):
            with pytest.raises(ValueError, match="for one answer per sample"):
                ask(loader)
        with pytest.raises(ValueError, match="shuffle=False"):
            mixture.score(loader, sample_weight=weights)
    assert mixture.score(random["shuffled"]) == pytest.approx(mixture.score(blobs))
    assert mixture.bic(random["shuffled"]) == pytest.approx(mixture.bic(blobs))
    plain = GaussianMixture(1).fit(random["shuffled"])
    assert plain.lower_bound_ == pytest.approx(mixture.lower_bound_)
    ordered = shuffled(blobs)
    np.testing.assert_allclose(mixture.score_samples(ordered), mixture.score_samples(blobs))
    weighted = GaussianMixture(1).fit(ordered, sample_weight=weights)
    np.testing.assert_allclose(weighted.means_[0], np.average(blobs, axis=0, weights=weights))


def test_weights_of_a_stream_that_comes_in_another_order_are_refused(blobs):
    random = np.random.default_rng(0)
    stream = Chunks(lambda: iter([blobs[random.permutation(len(blobs))]]))
    with pytest.raises(ValueError, match="another order in a later pass"):
        GaussianMixture(1).fit(stream, sample_weight=np.arange(450) + 1.0)
