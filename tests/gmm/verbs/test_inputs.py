import numpy as np
import pytest
import torch

from gmm.verbs.fit import fit
from gmm.verbs.inputs import is_large, read_samples
from gmm.verbs.plot import plot
from gmm.verbs.sample import sample
from gmm.verbs.score import score
from gmm.verbs.sweep import sweep


def test_a_wrong_name_for_the_mixture_is_refused_before_the_work(folder):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors"):
        fit(folder / "nothing.npy", folder / "m.pkl")


@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
def test_samples_have_the_precision_asked_for(folder, dtype):
    samples = read_samples(folder / "x.npy", dtype, None)
    assert samples.dtype == getattr(torch, dtype or "float64")
    np.testing.assert_allclose(samples, np.load(folder / "x.npy"), rtol=1e-6)


def test_a_file_is_read_in_chunks_if_it_is_large_and_can_be(folder, monkeypatch):
    np.savetxt(folder / "x.csv", np.load(folder / "x.npy"), delimiter=",")
    assert not is_large(folder / "x.npy")
    monkeypatch.setattr("gmm.verbs.inputs.LARGEST_LOADED_BYTES", 1000)
    assert is_large(folder / "x.npy")
    assert not is_large(folder / "x.csv")
    assert not is_large(folder / "gone.npy")


@pytest.fixture
def mixture(folder):
    path = folder / "m.safetensors"
    fit(folder / "x.npy", path)
    np.save(folder / "wide.npy", np.zeros((9, 5)))
    return path


BEFORE_THE_WORK = {
    "table": (
        lambda f, m: sweep(f / "gone.npy", f / "b.safetensors", table=f / "t.txt"),
        r"table=.*t\.txt, expected a name that ends in \.csv",
    ),
    "picture of a sweep": (
        lambda f, m: sweep(f / "gone.npy", f / "b.safetensors", picture=f / "t.xyz"),
        r"picture=.*t\.xyz, expected a name that ends in .*\.png",
    ),
    "picture": (lambda f, m: plot(m, f / "gone.npy", f / "noend"), "out=.*noend, expected a name"),
    "scores": (lambda f, m: score(m, f / "gone.npy", f / "s.txt"), r"out=.*s\.txt, expected a n"),
    "drawn": (lambda f, m: sample(f / "gone.safetensors", f / "s.txt"), r"s\.txt, expected a na"),
    "percent": (lambda f, m: score(m, f / "gone.npy", f / "s.csv", percent=0.0), "percent=0.0, e"),
    "seed": (lambda f, m: fit(f / "gone.npy", m, seed=-1), "seed=-1, expected an integer from 0"),
    "large seed": (lambda f, m: sample(m, f / "s.csv", seed=2**32), "seed=4294967296, expected"),
    "range": (
        lambda f, m: sweep(f / "gone.npy", m, min_components=3, max_components=2),
        "min_components=3, expected at most max_components=2",
    ),
    "width": (
        lambda f, m: score(m, f / "wide.npy", f / "s.csv"),
        r"wide\.npy: 5 columns, expected 4 as .*m\.safetensors was fitted to",
    ),
    "held-out width": (
        lambda f, m: score(m, f / "x.npy", f / "s.csv", held_out=f / "wide.npy"),
        r"wide\.npy: 5 columns, expected 4",
    ),
    "width of a picture": (
        lambda f, m: plot(m, f / "wide.npy", f / "s.png"),
        r"wide\.npy: 5 columns, expected 4",
    ),
}


@pytest.mark.parametrize("mistake", BEFORE_THE_WORK)
def test_a_mistake_is_named_before_the_work(mistake, folder, mixture):
    ask, message = BEFORE_THE_WORK[mistake]
    with pytest.raises(ValueError, match=message) as raised:
        ask(folder, mixture)
    assert "\n" not in str(raised.value)
