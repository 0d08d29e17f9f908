"""Wells: what their images say together."""

import shutil

import pytest
from score_rows import rows_in

from cellxai.files.folder import read_csv
from cellxai.verbs.score import score
from cellxai.verbs.score.table import ScoreRow
from cellxai.verbs.score.wells import judge_rows, well_rows, write_wells

CLASSES = ["a", "b"]


def row_of(name: str, p: float, known_p: str = "", **cells: str) -> ScoreRow:
    """An image whose first class has a probability."""
    shares = {"p_a": f"{p:.6f}", "p_b": f"{1 - p:.6f}"}
    predicted = "a" if p > 0.5 else "b"
    return ScoreRow(name, f"/{name}.png", "1", predicted, probabilities=shares, known_p=known_p,
                    **cells)  # fmt: skip


def judge(rows: list[ScoreRow], **wells: str) -> list[dict]:
    """The rows of wells, each named for the images that it has."""
    columns = {(f"/{name}.png", "1"): {"plate": "1", "well": well} for name, well in wells.items()}
    return well_rows(judge_rows(rows, columns, CLASSES), rows, columns, CLASSES)


def test_a_well_has_the_mean_of_its_images_and_the_p_value_of_its_strangest():
    rows = [
        row_of("x", 0.9, "0.010000", unfamiliar="1"),
        row_of("y", 0.4, "0.500000", unfamiliar="0"),
        row_of("z", 0.1, "0.900000", unfamiliar="0"),
        ScoreRow("broken", "/broken.png", "1", fault="image broken: no image"),
    ]
    first, second = judge(rows, x="A1", y="A1", broken="A1", z="B2")
    cells = (first["plate"], first["well"], first["n_images"], first["n_broken"])
    assert cells == ("1", "A1", 2, 1)
    assert (first["predicted"], float(first["probability"])) == ("a", pytest.approx(0.65))
    assert (float(first["agreeing"]), first["n_unfamiliar"]) == (0.5, 1)
    assert float(first["share_unknown"]) == 0.5
    assert float(first["known_p"]) == pytest.approx(2 * 0.01)
    assert (second["well"], second["predicted"], float(second["known_p"])) == ("B2", "b", 0.9)


def test_a_well_of_broken_images_keeps_its_row():
    broken = ScoreRow("x", "/x.png", "1", fault="image x: no image")
    for rows in ([broken], [broken, row_of("y", 0.9)]):
        row = judge(rows, x="A1", y="B1")[0]
        assert (row["n_images"], row["n_broken"], row["predicted"]) == (0, 1, "")
        assert (row["known_p"], row["p_a"]) == ("", "")


def test_without_a_density_nothing_is_said_of_it():
    (row,) = judge([row_of("x", 0.9)], x="A1")
    assert (row["n_unfamiliar"], row["known_p"], row["share_unknown"]) == ("", "", "")


def test_without_wells_no_file_of_an_earlier_call_is_left(tmp_path):
    names = ("wells.csv", "plates.csv", "plates.png")
    for name in names:
        (tmp_path / name).write_text("old")
    assert write_wells(tmp_path, [row_of("x", 0.9)], {}, CLASSES) == 0
    assert not any((tmp_path / name).exists() for name in names)


def test_score_writes_a_row_for_each_well_of_a_plate_map(run, plate, tmp_path):
    images = sorted(shutil.copytree(plate, tmp_path / "images").glob("*.png"))
    lines = [f"{path},{'A1' if i % 2 else 'B2'},p7" for i, path in enumerate(images)]
    (tmp_path / "map.csv").write_text("\n".join(["path,well,plate", *lines]) + "\n")
    result = score(run, str(tmp_path / "map.csv"), tmp_path / "out", device="cpu")
    rows = read_csv(result.folder / "wells.csv")
    assert [(row["plate"], row["well"], row["n_images"]) for row in rows] == [
        ("p7", "A1", "5"), ("p7", "B2", "5"),
    ]  # fmt: skip
    assert result.n_wells == 2
    (of_plate,) = read_csv(result.folder / "plates.csv")
    assert (of_plate["plate"], of_plate["unit"], of_plate["n_wells"]) == ("p7", "well", "2")
    assert (result.folder / "plates.png").is_file()
    assert {(row["plate"], row["well"]) for row in rows_in(result.folder)} == {
        ("p7", "A1"), ("p7", "B2"),
    }  # fmt: skip
    least = min(float(row["known_p"]) for row in rows_in(result.folder)[::2])
    assert float(rows[1]["known_p"]) == pytest.approx(min(1, 5 * least), abs=1e-5)
    assert score(run, str(plate), tmp_path / "alone", device="cpu").n_wells == 0
