import numpy as np
import pytest
import torch

from gmm.verbs.fit import fit
from gmm.verbs.inputs import is_large, read_samples


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
