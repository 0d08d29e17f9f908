import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellxai.explain.benchmark.shards import WHOLE, Shard, shard_files


@given(st.integers(0, 60), st.integers(1, 12))
def test_shards_are_equal_parts_of_the_whole(n_items, n_shards):
    shares = [Shard(i, n_shards).of_items(range(n_items)) for i in range(1, n_shards + 1)]
    assert sorted(item for share in shares for item in share) == [*range(n_items)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_shard_has_all_classes_of_a_sorted_list():
    classes = ["a"] * 8 + ["b"] * 4
    for number in range(1, 5):
        share = [*Shard(number, 4).of_items(classes)]
        assert (share.count("a"), share.count("b")) == (2, 1)


def test_a_share_loads_only_what_is_asked_for():
    class Loading(list):
        loaded = 0

        def __getitem__(self, place):
            Loading.loaded += 1
            return super().__getitem__(place)

    share = Shard(2, 3).of_items(Loading(range(10)))
    assert len(share) == 3
    assert [*share[1:]] == [4, 7]
    assert (share[0], Loading.loaded) == (1, 3)


def test_it_is_written_as_a_fraction():
    assert Shard.parse("2/4") == Shard(2, 4)
    assert Shard.parse(None) == WHOLE


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/4 ", "-1/4"])
def test_a_share_that_does_not_exist_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"shard=.*expected i/n with i from 1 to n, such as 1/4$"):
        Shard.parse(text)


def test_files_are_found_by_their_names_in_order(tmp_path):
    shards = [Shard(2, 10), Shard(10, 10), Shard(1, 2)]
    for shard in shards:
        (tmp_path / shard.file).touch()
    for other in ("results.sqlite", "results-1-of-2.sqlite-wal", "results-0-of-x.sqlite"):
        (tmp_path / other).touch()
    assert [*shard_files(tmp_path)] == [Shard(1, 2), Shard(2, 10), Shard(10, 10)]
