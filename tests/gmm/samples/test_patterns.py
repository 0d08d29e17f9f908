import pytest
import torch

from gmm.memory import BUDGETS
from gmm.samples.patterns import COPIES, WORD, arrange, cut, find_patterns
from gmm.samples.statistics import SMALLEST_CHUNK


def holes(n, d, share, seed=0):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("d", [3, WORD, 2 * WORD + 5])
def test_patterns_take_every_sample_once(d):
    missing = holes(60, d, 0.1)
    patterns = find_patterns(missing)
    assert torch.equal(patterns.order.sort().values, torch.arange(60))
    expected = patterns.missing.repeat_interleave(patterns.counts, 0)
    assert torch.equal(missing[patterns.order], expected)
    assert len(patterns.missing) == len({tuple(row) for row in missing.tolist()})


def test_pieces_cut_a_pattern_of_many_samples():
    pieces = cut(find_patterns(holes(1000, 2, 0.5)), 64)
    assert pieces.count.sum() == 1000
    assert pieces.count.max() <= 64
    assert (pieces.width >= pieces.count).all()
    assert (pieces.width < 2 * pieces.count).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_every_sample_is_in_one_group_of_its_features(share):
    missing = holes(300, 7, share)
    seen = []
    for part in arrange(missing, 2):
        for group in part.groups:
            for features, columns in zip(group.features, group.samples, strict=True):
                real = columns[columns < len(part.rows)]
                absent = missing[part.rows[real]]
                assert (absent == absent[0]).all()
                solved = absent[0] if part.few_missing else ~absent[0]
                assert torch.equal(features[features < 7], solved.nonzero()[:, 0])
                assert int(solved.sum()) <= 3
                seen += part.rows[real].tolist()
    assert sorted(seen) == list(range(300))


def test_parts_are_bounded_by_memory():
    sizes = [len(part.rows) for part in arrange(holes(5000, 40, 0.3), 50)]
    assert sum(sizes) == 5000
    assert max(sizes) <= SMALLEST_CHUNK  # as 2**23 bytes hold 65 of them
    sizes = [len(part.rows) for part in arrange(holes(5000, 4, 0.3), 50)]
    assert 8 * 50 * COPIES * 4 * max(sizes) <= BUDGETS["cpu"].chunk_bytes


def test_samples_keep_their_order_where_patterns_do_not_matter():
    parts = list(arrange(holes(5000, 4, 0.3), 50, by_pattern=False))
    assert len(parts) > 1
    assert torch.equal(torch.cat([part.rows for part in parts]), torch.arange(5000))
