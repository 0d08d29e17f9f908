import numpy as np
import pytest

from cellxai.explain.results.clustering import cluster_methods, mean_agreement


def blocks(between=0.1):
    """Two groups of methods that agree by 0.9 inside, on four images."""
    group = np.array([0, 1, 0, 1, 1])
    agreement = np.where(group[:, None] == group, 0.9, between)
    np.fill_diagonal(agreement, 1)
    return np.repeat(agreement[None], 4, axis=0)


def test_methods_that_agree_form_a_group_and_lie_side_by_side():
    actual = cluster_methods("abcde", blocks())
    assert {frozenset(group) for group in actual.groups} == {frozenset("ac"), frozenset("bde")}
    assert "".join(actual.order) == "".join("".join(group) for group in actual.groups)
    assert actual.tree[-1, 2] == pytest.approx(0.9)
    assert actual.tree[0, 2] == pytest.approx(0.1)


def test_the_distance_asked_for_decides_the_groups():
    assert len(cluster_methods("abcde", blocks(), closer_than=0.01).groups) == 5
    assert len(cluster_methods("abcde", blocks(), closer_than=0.95).groups) == 1


def test_agreement_is_averaged_over_the_images_that_have_it():
    holed = blocks()
    holed[0] = np.nan
    assert mean_agreement(holed) == pytest.approx(blocks()[0])
    holed[:, 0, 1] = np.nan
    assert np.isnan(mean_agreement(holed)[0, 1])


def test_a_method_that_is_never_comparable_joins_last():
    agreement = blocks()
    agreement[:, 2, :2] = agreement[:, 2, 3:] = np.nan
    agreement[:, :2, 2] = agreement[:, 3:, 2] = np.nan
    actual = cluster_methods("abcde", agreement)
    assert ("c",) in actual.groups
    nothing = np.full((1, 2, 2), np.nan)
    assert cluster_methods("ab", nothing).groups == (("a",), ("b",))


def test_one_method_is_no_tree():
    with pytest.raises(ValueError, match="1 method"):
        cluster_methods("a", np.ones((1, 1, 1)))
