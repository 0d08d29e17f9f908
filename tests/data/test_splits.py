from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.records import Record, Scan
from cellxai.data.splits import SplitSettings, keep_common, split_records, write_split


def images(label: str, n: int, group: str | None = None) -> list[Record]:
    name = f"{label}-{group}" if group else label
    return [Record(f"{name}-{i}", Path(f"{name}-{i}.png"), label, group) for i in range(n)]


def counts(records, parts) -> Counter:
    return Counter((record.label, parts[record.id]) for record in records)


shares = st.just(0.0) | st.floats(0.001, 0.45)


@given(sizes=st.lists(st.integers(3, 40), min_size=1, max_size=4), validation=shares, test=shares)
def test_every_class_is_in_every_part_in_proportion(sizes, validation, test):
    records = [record for i, n in enumerate(sizes) for record in images(f"class{i}", n)]
    parts = split_records(records, SplitSettings(validation, test))
    found = counts(records, parts)
    for i, n in enumerate(sizes):
        for part, share in (("validation", validation), ("test", test)):
            assert (found[f"class{i}", part] > 0) == (share > 0)
            # Within one image of the exact share, beside the one that each part has for certain.
            assert abs(found[f"class{i}", part] - n * share) <= 1.5
        assert found[f"class{i}", "train"] >= 1


def test_the_real_proportions_are_kept():
    records = images("shsy5y", 11) + images("astro", 14) + images("cort", 26)
    found = counts(records, split_records(records, SplitSettings(0.4, 0.0)))
    assert [found[label, "validation"] for label in ("shsy5y", "astro", "cort")] == [4, 6, 10]
    assert not any(part == "test" for _, part in found)


def test_shares_of_zero_leave_all_to_train():
    records = images("a", 1) + images("b", 2)
    parts = split_records(records, SplitSettings(0.0, 0.0))
    assert set(parts.values()) == {"train"}


@given(st.permutations(images("a", 6) + images("b", 5, "plate 1") + images("b", 9)))
def test_the_order_of_the_records_does_not_matter(records):
    expected = split_records(sorted(records, key=lambda record: record.id), SplitSettings(seed=3))
    assert split_records(records, SplitSettings(seed=3)) == expected


def test_another_seed_parts_the_images_differently():
    records = images("a", 20)
    one, again, other = (split_records(records, SplitSettings(seed=seed)) for seed in (0, 0, 1))
    assert one == again
    assert one != other


@given(seed=st.integers(0, 1000))
def test_groups_stay_whole(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, 24)
    records = [
        record for i, n in enumerate(sizes) for record in images("ab"[i % 2], n, f"well {i}")
    ]
    parts = split_records(records, SplitSettings(0.25, 0.25, seed=seed))
    of_group: dict[str, set[str]] = {}
    for record in records:
        of_group.setdefault(record.group, set()).add(parts[record.id])
    assert all(len(found) == 1 for found in of_group.values())
    assert {part for _, part in counts(records, parts)} == {"train", "validation", "test"}
    n_train = sum(part == "train" for part in parts.values())
    assert 0.35 <= n_train / len(records) <= 0.65


def test_an_image_without_a_group_is_not_taken_for_the_group_of_its_name():
    records = [*images("a", 5, "plate"), Record("plate", Path("p.png"), "a"), *images("a", 5)]
    parts = split_records(records, SplitSettings(0.3, 0.3, seed=1))
    assert len({parts[record.id] for record in records[:5]}) == 1


def test_a_class_with_too_few_images_is_named_with_the_way_out():
    with pytest.raises(ValueError, match="class 'b' has too few images: 2, expected at least 3"):
        split_records(images("a", 9) + images("b", 2), SplitSettings())


def test_a_class_with_too_few_groups_is_named():
    records = images("a", 9) + images("b", 20, "one plate") + images("b", 20, "another")
    with pytest.raises(ValueError, match="class 'b' has too few groups: 2"):
        split_records(records, SplitSettings())


def test_no_images_at_all_is_an_error():
    with pytest.raises(ValueError, match="0 images to split"):
        split_records([], SplitSettings())


def folds(records, n_folds: int, **options) -> list[dict[str, str]]:
    every = [SplitSettings(n_folds=n_folds, fold=fold, **options) for fold in range(n_folds)]
    return [split_records(records, one) for one in every]


@given(
    sizes=st.lists(st.integers(1, 5), min_size=30, max_size=40),
    grouped=st.booleans(),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_over_all_folds_each_image_is_tested_once_and_no_group_is_parted(
    sizes, grouped, n_folds, seed
):
    records = [
        record
        for i, n in enumerate(sizes)
        for record in images("ab"[i % 2], n, f"well {i}" if grouped else None)
    ]
    records = list({record.id: record for record in records}.values())
    if not grouped:
        records = images("a", 17) + images("b", 31)
    every = folds(records, n_folds, seed=seed)
    tested = Counter(image for parts in every for image, part in parts.items() if part == "test")
    assert tested == {record.id: 1 for record in records}
    for parts in every:
        assert parts.keys() == {record.id for record in records}
        assert set(counts(records, parts)) >= {
            (label, part) for label in "ab" for part in ("train", "validation", "test")
        }
        if grouped:
            assert len({(record.group, parts[record.id]) for record in records}) == len(sizes)


@given(sizes=st.lists(st.integers(5, 40), min_size=1, max_size=4), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_folds_are_equal_in_size_and_in_their_classes(sizes, seed):
    records = [record for i, n in enumerate(sizes) for record in images(f"class{i}", n)]
    every = folds(records, 5, seed=seed, validation_share=0.1)
    found = [counts(records, parts) for parts in every]
    for i in range(len(sizes)):
        tested = [count[f"class{i}", "test"] for count in found]
        assert max(tested) - min(tested) <= 1
    tested = [sum(part == "test" for part in parts.values()) for parts in every]
    assert max(tested) - min(tested) <= 1


def test_the_real_images_in_five_folds():
    records = images("shsy5y", 11) + images("astro", 14) + images("cort", 26)
    every = folds(records, 5, validation_share=0.0)
    assert sorted(list(parts.values()).count("test") for parts in every) == [10, 10, 10, 10, 11]
    assert not any("validation" in parts.values() for parts in every)


def test_a_class_with_fewer_images_than_folds_is_named_with_the_way_out():
    records = images("a", 9) + images("b", 4)
    with pytest.raises(ValueError, match=r"'b' has too few images: 4, expected at least 5.*fewer"):
        split_records(records, SplitSettings(n_folds=5))
    assert len(folds(records, 4)) == 4
    with pytest.raises(ValueError, match="'b' has too few images: 3, expected at least 4"):
        split_records(images("a", 9) + images("b", 3), SplitSettings(n_folds=2))


def test_rare_classes_are_left_out_and_reported_where_that_is_asked_for():
    records = images("a", 9) + images("b", 9) + images("one", 1) + images("plate", 30, "same")
    split = SplitSettings(n_folds=5, rare_classes="leave_out")
    kept = keep_common(Scan(tuple(records)), split)
    assert kept.classes == ("a", "b")
    assert [str(fault) for fault in kept.faults] == [
        "class one: left out: 1 image(s) or group(s), expected 5",
        "class plate: left out: 1 image(s) or group(s), expected 5",
    ]
    assert len(split_records(kept.records, split)) == 18
    assert keep_common(Scan(tuple(records)), SplitSettings()) == Scan(tuple(records))


def test_a_written_split_leaves_out_what_it_left_out_when_it_was_made(tmp_path):
    scan = Scan((*images("a", 9), *images("b", 3), *images("one", 1)))
    made = SplitSettings(rare_classes="leave_out")
    kept = keep_common(scan, made)
    parts = split_records(kept.records, made)
    write_split(tmp_path / "split.csv", kept.records, parts)
    read = SplitSettings(rare_classes="leave_out", file=tmp_path / "split.csv")
    assert keep_common(scan, read).records == kept.records
    assert split_records(kept.records, read) == parts
    assert str(keep_common(scan, read).faults[0]).startswith("class one: left out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 1}, "n_folds=1: expected at least 2"),
        ({"n_folds": 5, "fold": 5}, "fold=5: expected 0…4"),
        ({"n_folds": 5, "fold": -1}, "fold=-1: expected 0…4"),
        ({"fold": 1}, "fold=1: expected 0 without n_folds"),
        ({"n_folds": 2, "validation_share": 0.5}, "n_folds=2 leave nothing to train on"),
    ],
)
def test_folds_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SplitSettings(**options)


@pytest.mark.parametrize("options", [{"test_share": 1.0}, {"validation_share": -0.1}])
def test_shares_outside_their_range_are_refused(options):
    with pytest.raises(ValueError, match="expected a share in"):
        SplitSettings(**options)
    with pytest.raises(ValueError, match="leave nothing to train on"):
        SplitSettings(0.5, 0.5)


def test_a_written_split_reads_back_as_it_was(tmp_path):
    records = images("a", 7) + images("b", 8, "plate") + images("b", 3)
    parts = split_records(records, SplitSettings(0.3, 0.0, seed=5))
    write_split(tmp_path / "split.csv", records, parts)
    assert split_records(records, SplitSettings(file=tmp_path / "split.csv")) == parts
    header, first = (tmp_path / "split.csv").read_text().splitlines()[:2]
    assert header == "id,label,group,part"
    assert first == f"a-0,a,,{parts['a-0']}"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a-0,train\na-1,train\na-2,train\nx,test\ny,test", "ids x, y not in the data"),
        ("a-0,train", "ids a-1, a-2 without a row"),
        ("a-0,train\na-1,holdout\na-2,test", "row 3: part 'holdout', expected train"),
        ("a-0,train\na-0,test\na-1,test\na-2,test", "row 3: id 'a-0' is named twice"),
        ("a-0,test\na-1,test\na-2,test", "class 'a' has no image in train"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused_with_the_ids(tmp_path, rows, message):
    (tmp_path / "split.csv").write_text(f"id,part\n{rows}\n")
    with pytest.raises(ValueError, match=message):
        split_records(images("a", 3), SplitSettings(file=tmp_path / "split.csv"))
