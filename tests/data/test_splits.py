from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.records import Columns, Record, Scan
from cellxai.data.splits import (
    SplitSettings,
    group_scan,
    groups_left_out,
    keep_common,
    split_records,
    write_split,
)
from cellxai.files.folder import read_csv


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


def on_plates(n_plates: int, wells: int, doses: int = 1, n_classes: int = 2) -> list[Record]:
    """Images of each class in each well: plate and dose by columns, no group."""
    return [
        Record(
            f"{label}-{plate}-{well}", Path("x.png"), f"class{label}",
            columns=Columns({"plate": f"P{plate}", "well": f"{well}", "dose": f"{well % doses}"}),
        )
        for label in range(n_classes)
        for plate in range(n_plates)
        for well in range(wells)
    ]  # fmt: skip


def parted(records, settings) -> dict[str, str]:
    return split_records(group_scan(Scan(tuple(records)), settings).records, settings)


@given(n_plates=st.integers(1, 6), wells=st.integers(1, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=15)
def test_no_group_of_two_columns_is_ever_parted(n_plates, wells, seed):
    records = on_plates(n_plates, wells)
    split = SplitSettings(seed=seed, group_by=("plate", "well"))
    if n_plates * wells < 3:
        with pytest.raises(ValueError, match=r"split.group_by=\['plate', 'well'\]: \d group"):
            parted(records, split)
        return
    parts = parted(records, split)
    of_group = {(r.columns["plate"], r.columns["well"], parts[r.id]) for r in records}
    assert len(of_group) == n_plates * wells
    assert parts == split_records(
        [Record(r.id, r.path, r.label, f"plate={r.columns['plate']}, well={r.columns['well']}")
         for r in records],
        SplitSettings(seed=seed),
    )  # fmt: skip


def test_one_plate_cannot_be_parted_by_plate():
    with pytest.raises(ValueError, match=r"1 group\(s\) \(P0\) of 12 images, expected at least 3"):
        parted(on_plates(1, 6), SplitSettings(group_by=("plate",)))
    records = [r for r in on_plates(4, 6) if r.label == "class1" or r.columns["plate"] == "P0"]
    with pytest.raises(ValueError, match=r"class 'class0' has too few groups by plate: 1"):
        parted(records, SplitSettings(group_by=("plate",)))


@given(
    sizes=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=2, max_size=3),
    shares=st.sampled_from([(0.2, 0.2), (0.1, 0.3), (0.25, 0.0), (0.4, 0.4)]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=15)
def test_each_part_has_its_share_of_each_stratum_within_one_image(sizes, shares, seed):
    # With 10 images more, the seat that a class has for certain is one of each stratum's own.
    records = [
        Record(
            f"{label}-{dose}-{i}", Path("x.png"), str(label), columns=Columns({"dose": str(dose)})
        )
        for label, of_class in enumerate(sizes)
        for dose, n in enumerate(of_class)
        for i in range(n + 10)
    ]
    split = SplitSettings(*shares, seed=seed, stratify_by=("label", "dose"))
    parts = split_records(records, split)
    found = Counter((r.label, r.columns["dose"], parts[r.id]) for r in records)
    for label, of_class in enumerate(sizes):
        for part, share in split.shares.items():
            for dose, n in enumerate(of_class):
                assert abs(found[str(label), str(dose), part] - share * (n + 10)) < 1
            n_class = sum(found[str(label), str(dose), part] for dose in range(len(of_class)))
            assert abs(n_class - share * (sum(of_class) + 10 * len(of_class))) <= 1.5


@given(
    sizes=st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=5), min_size=2, max_size=3),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=10)
def test_folds_have_equal_strata_and_equal_classes(sizes, n_folds, seed):
    records = [
        Record(
            f"{label}-{dose}-{i}", Path("x.png"), str(label), columns=Columns({"dose": str(dose)})
        )
        for label, of_class in enumerate(sizes)
        for dose, n in enumerate(of_class)
        for i in range(n + 4)
    ]
    options = {"validation_share": 0.1, "seed": seed, "stratify_by": ("dose",)}
    every = folds(records, n_folds, **options)
    for names in (("label",), ("label", "dose")):
        tested = [
            Counter(key_of(record, names) for record in records if parts[record.id] == "test")
            for parts in every
        ]
        for stratum in {key_of(record, names) for record in records}:
            counted = [count[stratum] for count in tested]
            assert max(counted) - min(counted) <= 1


def of_doses(sizes: list[list[int]], n_more: int) -> list[Record]:
    """Images by class and dose, ``n_more`` of each beside those asked for."""
    return [
        Record(f"{label}-{dose}-{i}", Path("x"), str(label), columns=Columns({"dose": str(dose)}))
        for label, of_class in enumerate(sizes)
        for dose, n in enumerate(of_class)
        for i in range(n + n_more)
    ]


def key_of(record: Record, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({"label": record.label, **record.columns}[name] for name in names)


def test_whole_plates_are_dealt_in_proportion_to_strata():
    split = SplitSettings(group_by=("plate",), stratify_by=("dose",))
    parts = parted(on_plates(10, 8, doses=4), split)
    of_plate = {image.split("-")[1]: part for image, part in parts.items()}
    assert Counter(of_plate.values()) == {"train": 6, "validation": 2, "test": 2}


@given(n_plates=st.integers(3, 6), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=6)
def test_each_plate_is_left_out_once(n_plates, seed):
    # A class that one plate lacks is no hindrance, since the others teach it.
    records = [
        r for r in on_plates(n_plates, 4)
        if (r.label, r.columns["plate"]) != ("class1", "P0")
    ]  # fmt: skip
    options = {"n_folds": "leave_one_out", "group_by": ("plate",), "seed": seed}
    for fold in range(n_plates):
        parts = parted(records, SplitSettings(**options, fold=fold))
        tested = {r.columns["plate"] for r in records if parts[r.id] == "test"}
        assert tested == {f"P{fold}"}
        others = {(r.columns["plate"], parts[r.id]) for r in records} - {(f"P{fold}", "test")}
        assert len(others) == n_plates - 1
        assert {part for _, part in others} == {"train", "validation"}
    with pytest.raises(ValueError, match=f"split.fold={n_plates}: expected 0…{n_plates - 1}"):
        parted(records, SplitSettings(**options, fold=n_plates))


def test_there_must_be_something_to_leave_out():
    split = SplitSettings(n_folds="leave_one_out")
    with pytest.raises(ValueError, match="no groups to leave out; name columns in"):
        parted(on_plates(3, 3), split)
    with pytest.raises(ValueError, match=r"1 group\(s\) \(P0\)"):
        parted(on_plates(1, 3), SplitSettings(n_folds="leave_one_out", group_by=("plate",)))
    assert groups_left_out(images("b", 1, "q") + images("a", 2, "p"), split) == [
        "group p",
        "group q",
    ]


def test_a_file_and_strata_are_not_both_taken(tmp_path):
    with pytest.raises(ValueError, match=r"split.stratify_by=\['dose'\] and split.file="):
        SplitSettings(file=tmp_path / "split.csv", stratify_by=("dose",))


def test_columns_are_written_beside_the_parts_and_read_back_without_harm(tmp_path):
    records = on_plates(4, 3)
    parts = split_records(records, SplitSettings())
    write_split(tmp_path / "split.csv", records, parts)
    rows = read_csv(tmp_path / "split.csv")
    assert list(rows[0]) == ["id", "label", "group", "part", "plate", "well", "dose"]
    assert split_records(records, SplitSettings(file=tmp_path / "split.csv")) == parts
    write_split(tmp_path / "old.csv", images("a", 3), {f"a-{i}": "train" for i in range(3)})
    assert (tmp_path / "old.csv").read_bytes().startswith(b"id,label,group,part\r\na-0,a,,train")
