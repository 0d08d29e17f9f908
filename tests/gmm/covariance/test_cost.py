from dataclasses import replace

import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.covariance.cost import (
    Task,
    blocks,
    packed,
    packs,
    prefers_float32,
    seconds,
    triangular,
)

DTYPES = (torch.float32, torch.float64)
SAMPLES = (1, 300, 20_000, 1_000_000)
FEATURES = (1, 2, 3, 8, 16, 31, 32, 64, 100, 256, 1280)
COMPONENTS = (1, 2, 3, 5, 8, 16, 32, 64, 128, 512)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_samples", SAMPLES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_one_component_never_needs_all_products(dtype, n_samples, device):
    for n_features in FEATURES:
        for fitting in (True, False):
            task = Task(n_samples, 1, 1, n_features, dtype, torch.device(device), fitting)
            assert not packs(task), task


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fitting", [True, False])
def test_many_components_of_few_features_share_their_products(dtype, fitting):
    for n_features in (4, 8, 16, 32):
        assert packs(Task(100_000, 1, 32, n_features, dtype, fitting=fitting))
    assert not packs(Task(100_000, 1, 8, 1280, dtype, fitting=fitting))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_samples", [20_000, 1_000_000])
def test_what_pays_for_some_components_pays_for_more_of_them(dtype, n_samples):
    for n_features in FEATURES:
        tasks = [Task(n_samples, 1, k, n_features, dtype) for k in COMPONENTS]
        choices = [packs(task) for task in tasks]
        assert choices == sorted(choices), (n_features, choices)


def test_a_batch_of_runs_costs_what_as_many_components_cost():
    for n_runs, k in ((2, 3), (10, 4)):
        batch, wide = Task(5000, n_runs, k, 16), Task(5000, 1, n_runs * k, 16)
        for form in (packed, triangular):
            assert seconds(form(batch), batch) == seconds(form(wide), wide)


def test_more_work_takes_longer():
    task = Task(1000, 1, 4, 16)
    for form in (packed, triangular):
        usual = seconds(form(task), task)
        for more in ({"n_samples": 2000}, {"n_components": 8}, {"n_features": 32}):
            larger = replace(task, **more)
            assert seconds(form(larger), larger) > usual
        assert seconds(form(task.scoring()), task.scoring()) < usual
        narrow = replace(task, dtype=torch.float32)
        assert seconds(form(narrow), narrow) < usual


def test_triangles_in_float32_replace_float64_where_features_are_many():
    assert prefers_float32(Task(100_000, 1, 16, 32, torch.float32))
    assert prefers_float32(Task(100_000, 1, 1, 2, torch.float32))
    assert not prefers_float32(Task(100_000, 1, 64, 4, torch.float32))


@pytest.mark.parametrize("n_features", [1, 15, 16, 17, 33, 100, 256, 1280])
@pytest.mark.parametrize("n_vectors", [1, 1_000_000])
def test_blocks_hold_every_feature_once(n_features, n_vectors):
    parts = blocks(n_features, n_vectors, torch.device("cpu"))
    assert [i for first, end in parts for i in range(first, end)] == list(range(n_features))
    assert len(parts) <= 8


def test_only_full_chooses():
    for name, choices in {"tied": {False}, "diag": {True}, "spherical": {True}}.items():
        tasks = (Task(1000, 1, k, d) for k in (1, 64) for d in (2, 300))
        assert {COVARIANCES[name].packs(task) for task in tasks} == choices
