"""Wells: what their images say together."""

import shutil

import pytest
from score_rows import rows_in

from cellxai.files.folder import read_csv
from cellxai.verbs.score import score
from cellxai.verbs.score.table import ScoreRow
from cellxai.verbs.score.wells import judge_wells, read_wells

CLASSES = ["a", "b"]


def row_of(name: str, p: float, known_p: str = "", **cells: str) -> ScoreRow:
    """An image whose first class has a probability."""
    shares = {"p_a": f"{p:.6f}", "p_b": f"{1 - p:.6f}"}
    predicted = "a" if p > 0.5 else "b"
    return ScoreRow(name, f"/{name}.png", "1", predicted, probabilities=shares, known_p=known_p,
                    **cells)  # fmt: skip


def test_a_well_has_the_mean_of_its_images_and_the_p_value_of_its_strangest():
    rows = [
        row_of("x", 0.9, "0.010000", unfamiliar="1"),
        row_of("y", 0.4, "0.500000", unfamiliar="0"),
        row_of("z", 0.1, "0.900000", unfamiliar="0"),
        ScoreRow("broken", "/broken.png", "1", fault="image broken: no image"),
    ]
    wells = {"/x.png": ("1", "A1"), "/y.png": ("1", "A1"), "/broken.png": ("1", "A1"),
             "/z.png": ("1", "B2")}  # fmt: skip
    first, second = judge_wells(rows, wells, CLASSES)
    assert (first["plate"], first["well"], first["n_images"], first["n_broken"]) == (
        "1",
        "A1",
        2,
        1,
    )
    assert (first["predicted"], float(first["probability"])) == ("a", pytest.approx(0.65))
    assert (float(first["agreeing"]), first["n_unfamiliar"]) == (0.5, 1)
    assert float(first["known_p"]) == pytest.approx(2 * 0.01)
    assert (second["well"], second["predicted"], float(second["known_p"])) == ("B2", "b", 0.9)


def test_a_well_of_broken_images_keeps_its_row():
    broken = ScoreRow("x", "/x.png", "1", fault="image x: no image")
    (row,) = judge_wells([broken], {"/x.png": ("", "A1")}, CLASSES)
    assert (row["n_images"], row["n_broken"], row["predicted"], row["known_p"]) == (0, 1, "", "")


def test_without_a_density_nothing_is_said_of_it():
    (row,) = judge_wells([row_of("x", 0.9)], {"/x.png": ("", "A1")}, CLASSES)
    assert (row["n_unfamiliar"], row["known_p"]) == ("", "")


def test_wells_are_those_of_the_tables_that_name_them(tmp_path):
    (tmp_path / "plate.csv").write_text("path,well,plate\na.png,A1,7\nb.png,,7\nsub/c.png,C3,\n")
    (tmp_path / "other.csv").write_text("path\nd.png\n")
    names = [str(tmp_path / "plate.csv"), str(tmp_path / "other.csv"), "*.png"]
    assert read_wells(names) == {
        str(tmp_path / "a.png"): ("7", "A1"),
        str(tmp_path / "sub" / "c.png"): ("", "C3"),
    }


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
    least = min(float(row["known_p"]) for row in rows_in(result.folder)[::2])
    assert float(rows[1]["known_p"]) == pytest.approx(min(1, 5 * least), abs=1e-5)
    assert score(run, str(plate), tmp_path / "alone", device="cpu").n_wells == 0
