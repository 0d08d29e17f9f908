from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellxai.data.loading.sampling import (
    AugmentedImages,
    EpochSampler,
    ResumableLoader,
    balanced_order,
    epoch_order,
    take_share,
)
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.array)
SEEDS = st.integers(0, 2**32 - 1)


@given(LABELS, SEEDS, st.integers(0, 1000))
def test_a_shuffled_epoch_has_every_image_once_in_an_order_of_seed_and_epoch(labels, seed, epoch):
    order = epoch_order(labels, "shuffled", seed, epoch)
    assert sorted(order) == list(range(len(labels)))
    np.testing.assert_array_equal(order, epoch_order(labels, "shuffled", seed, epoch))


def test_epochs_and_seeds_have_orders_of_their_own():
    labels = np.zeros(50, dtype=np.int64)
    orders = [epoch_order(labels, "shuffled", *key) for key in ((0, 0), (0, 1), (1, 0))]
    assert len({order.tobytes() for order in orders}) == 3


@given(LABELS, SEEDS)
def test_a_balanced_epoch_has_all_classes_equally_often(labels, seed):
    order = balanced_order(labels, np.random.default_rng(seed))
    assert len(order) == len(labels)
    often = Counter(labels[order].tolist())
    assert often.keys() == set(labels.tolist())
    assert max(often.values()) - min(often.values()) <= 1


@given(LABELS, SEEDS)
def test_within_a_class_no_image_comes_again_before_all_have_come(labels, seed):
    order = balanced_order(labels, np.random.default_rng(seed))
    for label in set(labels.tolist()):
        often = Counter({int(i): 0 for i in np.flatnonzero(labels == label)})
        often.update(int(i) for i in order if labels[i] == label)
        assert max(often.values()) - min(often.values()) <= 1


def test_the_class_that_gets_the_odd_image_and_the_images_drawn_change_with_the_epoch():
    labels = np.repeat([0, 1], [9, 2])
    orders = [epoch_order(labels, "balanced", 0, epoch) for epoch in range(20)]
    assert {int((labels[order] == 1).sum()) for order in orders} == {5, 6}
    assert set(np.concatenate(orders).tolist()) == set(range(11))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_the_shares_of_a_step_are_the_batch_of_one_process(n, n_processes, images_each):
    order = np.random.default_rng(0).permutation(n)
    shares = [take_share(order, rank, n_processes) for rank in range(n_processes)]
    assert len({len(part) for part in shares}) == 1
    batch = images_each * n_processes
    for start in range(0, n - n % batch, batch):
        mine = slice(start // n_processes, start // n_processes + images_each)
        together = np.concatenate([part[mine] for part in shares])
        assert sorted(together) == sorted(order[start : start + batch])
    again = Counter(np.concatenate(shares).tolist())
    assert set(again) == set(range(n))
    assert sum(again.values()) - n < n_processes


def test_a_sampler_goes_on_with_the_first_image_that_is_not_used_yet():
    sampler = EpochSampler(lambda epoch: np.arange(5) + 10 * epoch, lambda: 2)
    assert len(sampler) == 5
    sampler.set_epoch(1)
    assert list(sampler) == [(1, 12), (1, 13), (1, 14)]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_place_in_an_epoch_is_asked_for_when_the_first_image_is_wanted(workers):
    images = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(40, 1, 4, 4)
    transforms = Transforms((4, 4), clahe=False, brightness=0.0)
    dataset = AugmentedImages(images, torch.arange(40), transforms, 0)
    seen = [0]
    sampler = EpochSampler(lambda epoch: np.arange(10) + 10 * epoch, lambda: seen[0])
    loader = ResumableLoader(
        dataset, 4, sampler=sampler, num_workers=workers, persistent_workers=workers > 0
    )
    first = iter(loader)
    sampler.set_epoch(2)
    seen[0] = 4
    assert [labels.tolist() for _, labels in first] == [[24, 25, 26, 27], [28, 29]]
    sampler.set_epoch(3)
    seen[0] = 0
    assert torch.cat([labels for _, labels in loader]).tolist() == list(range(30, 40))


def test_workers_that_would_do_nothing_are_refused():
    with pytest.raises(ValueError, match="workers=-1: expected 0 or more"):
        LoadingSettings(workers=-1)
    with pytest.raises(ValueError, match="pipeline=tensor augments on the device"):
        LoadingSettings(workers=2, pipeline="tensor")
