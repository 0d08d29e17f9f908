"""Every verb on single cells of synthetic frames, and on tiles of them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import ModelSettings
from cellxai.data.cells import SingleCells
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.data.tiles import Tiles
from cellxai.explain.controls import RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.files.folder import read_csv, read_json
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.density.verb import density
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.explain import explain
from cellxai.verbs.fit import fit
from cellxai.verbs.score.verb import score
from cellxai.verbs.synthesize import synthesize

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    synthesize(folder, n_images=12, height=160, width=160)
    return folder


def fit_on(source, run: Path) -> Path:
    fit(
        source,
        run,
        split=SplitSettings(validation_share=0.25, test_share=0.25),
        transforms=Transforms(image_size=(32, 32), clahe=False),
        model=ModelSettings(TimmBackbone("test_efficientnet")),
        training=TrainingSettings(epochs=1, batch_size=16, device="cpu"),
    )
    return run


@pytest.fixture(scope="module")
def run(frames) -> Path:
    return fit_on(SingleCells(Sartorius(frames), 32, border="keep"), frames / "run")


def test_no_image_is_in_two_parts_and_the_interval_counts_images(run):
    rows = read_csv(run / "split.csv")
    parts = {row["group"]: {r["part"] for r in rows if r["group"] == row["group"]} for row in rows}
    assert all(len(of_image) == 1 for of_image in parts.values())
    assert len(rows) > 2 * len(parts)
    evaluate(run, device="cpu")
    test = read_json(run / "evaluation" / "report.json")["parts"]["test"]
    assert test["intervals"]["n_units"] == sum(of_image == {"test"} for of_image in parts.values())
    assert test["n_images"] > test["intervals"]["n_units"]


def test_a_cell_is_explained_under_its_own_id(run):
    explained = explain(run, "gradcam", images_per_class=1, device="cpu")
    cells = SingleCells(Sartorius(run.parent), 32, border="keep")
    ids = {record.id for record in cells.scan().records}
    pictures = [path.stem for path in explained.folder.rglob("*__cell*")]
    assert pictures
    assert all(any(stem.startswith(cell) for cell in ids) for stem in pictures)


def test_the_density_of_cells_has_each_of_them_in_one_part(run):
    density(run, device="cpu")
    rows = read_csv(run / "density" / "scores.csv")
    split = {row["id"]: row["part"] for row in read_csv(run / "split.csv")}
    assert {row["id"] for row in rows} == {*split}


def test_explainers_are_measured_on_cells(run):
    benchmark(
        run, {"random": RandomAttribution()}, {"Gini": Gini()}, images_per_class=2, device="cpu"
    )
    (row,) = read_csv(run / "benchmark" / "table.csv")
    classes = {row["label"] for row in read_csv(run / "split.csv")}
    assert (row["metric"], row["status"], int(row["n_images"])) == ("Gini", "ok", 2 * len(classes))


def test_new_frames_are_scored_cell_by_cell_and_only_once(run, frames, tmp_path):
    records = Sartorius(frames).scan().records[:2]
    (tmp_path / "masks").mkdir()
    for record in records:
        mask = record.load_mask()
        tifffile.imwrite(tmp_path / "masks" / f"{record.id}.tif", mask.astype(np.uint16))
    names = [str(record.path) for record in records]
    words = {"out": tmp_path / "score", "masks": tmp_path / "masks", "device": "cpu"}
    first = score(run, names, **words)
    n_cells = sum(len(np.unique(record.load_mask())) - 1 for record in records)
    assert first.n_images == n_cells
    rows = read_csv(tmp_path / "score" / "scores.csv")
    files = {row["path"].partition("#")[0] for row in rows}
    assert files == {str(Path(name).resolve()) for name in names}
    assert (tmp_path / "score" / "sheet.png").is_file()
    assert score(run, names, **words).n_before == n_cells


def test_tiles_are_trained_and_scored_as_whole_images_are_named(frames, tmp_path):
    run = fit_on(Tiles(Sartorius(frames), 80), tmp_path / "run")
    image = Sartorius(frames).scan().records[0].path
    assert score(run, str(image), out=tmp_path / "score", device="cpu").n_images == 4
