from pathlib import Path

import numpy as np
from PIL import Image
from score_rows import rows_in

from cellxai.data.pixels.transforms import Transforms
from cellxai.verbs.score import score
from cellxai.verbs.score.sheet import draw_sheet, familiarity, tile_of_row
from cellxai.verbs.score.table import ScoreRow


def test_the_sheet_shows_the_least_familiar_first(run, plate, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "cellxai.verbs.score.sheet.draw_scored_images", lambda groups, *_: drawn.append(groups)
    )
    score(run, str(plate), tmp_path / "out", n_shown=4, device="cpu")
    (tiles,) = drawn[0].values()
    densities = sorted(float(row["log_p"]) for row in rows_in(tmp_path / "out"))
    assert [tile.log_density for tile in tiles] == densities[:4]


def row_of(path: Path, nats: str, **cells: str) -> ScoreRow:
    return ScoreRow(
        path.stem,
        str(path),
        "1",
        "cort",
        "0.876000",
        "",
        "0.1",
        "",
        nats,
        "1",
        "tones",
        "x",
        **cells,
    )


def test_what_is_no_number_is_less_familiar_than_anything():
    rows = [row_of(Path(name), nats) for name, nats in (("a", "-5"), ("b", "nan"), ("c", "-1e9"))]
    assert [row.id for row in sorted(rows, key=familiarity)] == ["b", "c", "a"]


def test_a_tile_tells_class_probability_and_the_view_that_is_surprised():
    tile = tile_of_row(row_of(Path("a.png"), "-5.25"), np.zeros((2, 2), np.uint8))
    assert (tile.note, tile.log_density, tile.flagged) == ("cort (0.88); tones", -5.25, True)


def test_without_a_density_the_sheet_shows_the_least_sure_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "cellxai.verbs.score.sheet.draw_scored_images", lambda groups, *_: drawn.append(groups)
    )
    rows = []
    for name, share in (("a", "0.9"), ("b", "0.4"), ("c", "0.6")):
        Image.new("L", (8, 8)).save(tmp_path / f"{name}.png")
        rows.append(ScoreRow(name, str(tmp_path / f"{name}.png"), "1", "cort", share))
    draw_sheet(tmp_path / "sheet.png", rows, Transforms(image_size=(8, 8)), 2)
    ((heading, tiles),) = drawn[0].items()
    assert heading == "least sure first"
    assert [tile.caption_lines() for tile in tiles] == [["b", "cort (0.40)"], ["c", "cort (0.60)"]]


def test_without_a_readable_image_there_is_no_sheet(tmp_path):
    rows = [row_of(tmp_path / "gone.png", "-5"), row_of(tmp_path / "b.png", "-6", fault="broken")]
    draw_sheet(tmp_path / "sheet.png", rows, Transforms(image_size=(8, 8)), 4)
    assert not (tmp_path / "sheet.png").exists()
