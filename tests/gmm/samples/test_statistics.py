import dataclasses

import torch
from chunked_statistics import statistics_of

from gmm.covariance import COVARIANCES
from gmm.memory import BUDGETS
from gmm.samples.statistics import SMALLEST_CHUNK, chunk_size


def test_chunks_add_up_to_the_whole(covariance_type, blobs, soft_responsibilities):
    covariance, x = COVARIANCES[covariance_type], torch.from_numpy(blobs)
    whole = statistics_of(x, soft_responsibilities, covariance, len(x))
    parts = statistics_of(x, soft_responsibilities, covariance, 64)
    for field in dataclasses.fields(whole):
        left, right = getattr(whole, field.name), getattr(parts, field.name)
        torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-11)


def test_chunks_stay_within_their_limits():
    assert chunk_size(COVARIANCES["diag"], 1, 1) == BUDGETS["cpu"].largest_chunk
    assert chunk_size(COVARIANCES["full"], 100, 1000) == SMALLEST_CHUNK
    usual = chunk_size(COVARIANCES["full"], 16, 32)
    assert SMALLEST_CHUNK < usual < BUDGETS["cpu"].largest_chunk
    assert chunk_size(COVARIANCES["full"], 16, 32, torch.float32) > usual
    on_gpu = chunk_size(COVARIANCES["full"], 16, 32, device=torch.device("cuda"))
    assert usual < on_gpu < BUDGETS["cuda"].largest_chunk
