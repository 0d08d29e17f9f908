import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.samples import in_memory
from gmm.samples.in_memory import InMemory, centre

DIAG = COVARIANCES["diag"]


@pytest.fixture
def x(blobs):
    return torch.from_numpy(blobs)


def test_weights_are_repetitions(x):
    repeats = torch.arange(len(x)) % 3
    weighted = InMemory(x, repeats.double())
    repeated = InMemory(x.repeat_interleave(repeats, 0))
    assert weighted.weight == repeated.weight == len(repeated.x)
    torch.testing.assert_close(weighted.reference, repeated.reference)
    assert weighted.variance == pytest.approx(repeated.variance, rel=1e-12)
    assert InMemory(x).variance == pytest.approx(float(x.var(0, correction=0).mean()), rel=1e-12)


@pytest.mark.parametrize("size", [1, 7, 449, 450, 1000])
def test_chunks_of_any_size_are_the_centred_samples_in_their_order(x, size):
    weights = torch.rand(len(x), dtype=torch.float64)
    chunks = list(InMemory(x, weights).chunks(DIAG, size))
    reference = weights @ x / weights.sum()
    torch.testing.assert_close(torch.cat([chunk.x for chunk in chunks], 1).T, x - reference)
    assert torch.equal(torch.cat([chunk.weights for chunk in chunks]), weights)
    assert max(chunk.x.shape[1] for chunk in chunks) <= size


def test_samples_are_centred_before_they_lose_digits():
    rows = torch.tensor([[1e8 + 0.25], [1e8 - 0.25]], dtype=torch.float64)
    columns = centre(rows, torch.tensor([1e8]).double(), torch.float32)
    assert columns.dtype == torch.float32
    assert columns.tolist() == [[0.25, -0.25]]


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_few_samples_are_centred_once_and_many_each_time(x, kind, monkeypatch):
    def reads_again():
        samples = InMemory(x.clone())
        first, again = (read_and_clear(samples, COVARIANCES[kind]) for _ in range(2))
        return not torch.equal(first, again)

    assert not reads_again()
    monkeypatch.setattr(in_memory, "MOST_WHOLE_NUMBERS", 0)
    assert not reads_again()
    monkeypatch.setattr(in_memory, "MOST_KEPT_BYTES", 100)
    assert reads_again()


def read_and_clear(samples, covariance):
    """The samples in chunks, which are overwritten afterwards where they came from."""
    columns = torch.cat([chunk.x for chunk in samples.chunks(covariance, 450)], 1)
    samples.x.zero_()
    return columns


def test_a_start_and_the_fit_read_the_same_centred_samples(x):
    samples = InMemory(x)
    rows = samples.rows(torch.float64)
    torch.testing.assert_close(rows, x - x.mean(0))
    (chunk,) = samples.chunks(DIAG, len(x))
    assert torch.equal(chunk.x.T, rows)
