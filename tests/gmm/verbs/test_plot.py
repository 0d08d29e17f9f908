import numpy as np
import pytest

from gmm.verbs.fit import fit
from gmm.verbs.plot import plot


@pytest.fixture
def mixture(folder):
    fit(folder / "x.npy", folder / "m.safetensors", n_components=2)
    return folder / "m.safetensors"


@pytest.mark.parametrize(
    ("suffix", "signature"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_suffix_chooses_the_format(folder, mixture, suffix, signature):
    written = plot(mixture, folder / "x.npy", folder / f"picture.{suffix}")
    assert written.out.read_bytes().startswith(signature)
    assert str(written) == f"wrote {folder}/picture.{suffix}"


def test_samples_of_another_width_are_refused_and_nothing_is_written(folder, mixture):
    np.save(folder / "narrow.npy", np.load(folder / "x.npy")[:, :2])
    with pytest.raises(ValueError, match="2"):
        plot(mixture, folder / "narrow.npy", folder / "picture.png")
    assert not (folder / "picture.png").exists()
