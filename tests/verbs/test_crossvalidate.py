"""Every image is judged once by a classifier that has not seen it, and the figures say so."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import nn

from cellxai.classifier.backbone import Backbone, FeatureNetwork
from cellxai.classifier.module import HeadSettings, ModelSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.table import Manifest
from cellxai.data.records import Source
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import read_csv, read_json
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.crossvalidate import CrossValidation, crossvalidate

SIDE, N_FOLDS = 24, 3


@dataclass(frozen=True)
class OneLayer(Backbone):
    """A convolution and its mean: trained in a blink."""

    def build(self, load_weights: bool) -> FeatureNetwork:
        layers = (nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return FeatureNetwork(nn.Sequential(*layers), 4)


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """Two classes of 9 images that differ in spread, one class of a single image, a broken file."""
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("cells")
    for label, spread, n in (("calm", 20, 9), ("wild", 32, 9), ("lone", 80, 1)):
        (root / label).mkdir()
        for i in range(n):
            pixels = random.normal(128, random.normal(spread, 6), (SIDE, SIDE))
            file = root / label / f"{i}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
    (root / "calm" / "broken.png").write_bytes(b"no picture")
    return root


def validate(
    cells: Path, run: Path, data: Source | None = None, **split: object
) -> CrossValidation:
    chosen = {"n_folds": N_FOLDS, "rare_classes": "leave_out", "validation_share": 0.2} | split
    return crossvalidate(
        data or ImageFolder(cells),
        run,
        SplitSettings(**chosen),
        Transforms(image_size=(SIDE, SIDE)),
        ModelSettings(OneLayer(), HeadSettings(hidden=None)),
        TrainingSettings(epochs=2, batch_size=4, device="cpu"),
    )


@pytest.fixture(scope="module")
def done(cells, tmp_path_factory) -> CrossValidation:
    return validate(cells, tmp_path_factory.mktemp("done"))


@pytest.fixture(scope="module")
def rows(done) -> list[dict[str, str]]:
    return read_csv(done.folder / "crossvalidation.csv")


def test_every_image_is_judged_once_by_a_fold_that_has_not_seen_it(done, rows):
    assert sorted(row["id"] for row in rows) == sorted(
        f"{label}__{i}" for label in ("calm", "wild") for i in range(9)
    )
    for row in rows:
        parts = read_csv(done.folder / f"fold-{row['fold']}" / "split.csv")
        assert [found["part"] for found in parts if found["id"] == row["id"]] == ["test"]


def test_the_pooled_accuracy_is_the_share_of_right_rows(done, rows):
    right = [row["label"] == row["predicted"] for row in rows]
    pooled = done.report["out_of_fold"]
    assert pooled["accuracy"] == pytest.approx(np.mean(right))
    low, high = pooled["intervals"]["accuracy"]
    assert low <= pooled["accuracy"] <= high
    assert pooled["n_units"] == len(rows)


def test_mean_and_sd_are_those_of_the_folds(done, rows):
    accuracy = [
        np.mean([row["label"] == row["predicted"] for row in rows if row["fold"] == str(fold)])
        for fold in range(N_FOLDS)
    ]
    over = done.report["over_folds"]["accuracy"]
    assert over == pytest.approx({"mean": np.mean(accuracy), "sd": np.std(accuracy, ddof=1)})


def test_a_fold_judges_its_images_as_evaluate_does(done):
    for fold in done.report["folds"]:
        folder = done.folder / f"fold-{fold['fold']}"
        report = read_json(folder / "evaluation" / "report.json")
        assert fold["accuracy"] == pytest.approx(report["parts"]["test"]["accuracy"])
        baseline = done.report["baseline"]["folds"][fold["fold"]]
        assert baseline["accuracy"] == pytest.approx(report["baseline"]["accuracy"])


def test_the_baseline_learns_one_number_from_the_training_images_of_the_same_fold(
    done, rows, cells
):
    def spread(image_id: str) -> float:
        with Image.open(cells / f"{image_id.replace('__', '/')}.png") as image:
            return float(np.array(image).std())

    for fold in range(N_FOLDS):
        parts = read_csv(done.folder / f"fold-{fold}" / "split.csv")
        ids = {part["id"] for part in parts if part["part"] == "train"} - {"calm__broken"}
        known = sorted(ids)
        reference = LinearDiscriminantAnalysis().fit(
            [[spread(one)] for one in known], [one.partition("__")[0] for one in known]
        )
        judged = [row for row in rows if row["fold"] == str(fold)]
        expected = reference.predict([[spread(row["id"])] for row in judged])
        assert [row["by_pixel_sd"] for row in judged] == list(expected)


def test_a_broken_image_and_a_class_too_small_for_the_folds_are_named(done):
    told = str(done)
    assert "not used: image calm__broken: " in told
    assert "not used: class lone: " in told
    assert told.count("not used: ") == len(done.report["left_out"]) == 2


def test_the_summary_states_the_interval_and_the_baseline(done):
    first, judged, baseline, *_ = str(done).splitlines()
    assert f"18 images in {N_FOLDS} folds" in first
    assert f"accuracy {done.report['out_of_fold']['accuracy']:.3f} (95 % interval " in judged
    assert "pixel standard deviation" in baseline


@pytest.mark.slow
def test_a_killed_call_trains_only_what_is_missing(done, cells, tmp_path):
    run = tmp_path / "run"
    first = validate(cells, run)
    kept = (run / "fold-0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    for file in sorted((run / "fold-2").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    (run / "crossvalidation.json").unlink()
    assert validate(cells, run).report == first.report
    assert read_json(run / "crossvalidation.json") == json.loads(json.dumps(first.report))
    assert (run / "fold-0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == kept


def test_other_settings_in_the_same_folder_are_refused(done, cells):
    with pytest.raises(ValueError, match=r"fold-0 holds a run with split\.seed=0, got 1"):
        validate(cells, done.folder, seed=1)


@pytest.mark.parametrize(
    ("split", "named"),
    [
        ({"n_folds": None}, "split.n_folds=None"),
        ({"fold": 1}, "split.fold=1"),
        ({"file": Path("split.csv")}, "split.file=split.csv"),
    ],
)
def test_a_split_that_is_no_cross_validation_is_refused(cells, tmp_path, split, named):
    with pytest.raises(ValueError, match=named.replace(".", r"\.")):
        validate(cells, tmp_path, **split)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_image_that_has_become_unreadable_since_is_named(cells, tmp_path):
    copy = tmp_path / "cells"
    for file in cells.glob("*/*.png"):
        (copy / file.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / file.parent.name / file.name).write_bytes(file.read_bytes())
    validate(copy, tmp_path / "run")
    (copy / "wild" / "0.png").write_bytes(b"broken since")
    with pytest.raises(ValueError, match=r"image wild__0: .* readable when its fold was judged"):
        validate(copy, tmp_path / "run")


def test_plate_by_plate_each_fold_leaves_out_one_and_names_it(cells, tmp_path):
    rows = [
        {
            "path": f"{label}/{i}.png",
            "label": label,
            "plate": f"P{i % 3}",
            "well": f"{label[0]}{i // 3 + 1}",
        }
        for label in ("calm", "wild")
        for i in range(9)
    ]  # fmt: skip
    with (cells / "plates.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["path", "label", "plate", "well"])
        table.writeheader()
        table.writerows(rows)
    data, split = Manifest(cells / "plates.csv"), {"n_folds": "leave_one_out"}
    done = validate(cells, tmp_path / "run", data, **split, group_by=("plate",))
    for fold, figures in enumerate(done.report["folds"]):
        assert figures["left_out"] == f"group P{fold}"
        parts = read_csv(tmp_path / "run" / f"fold-{fold}" / "split.csv")
        assert {row["plate"] for row in parts if row["part"] == "test"} == {f"P{fold}"}
        assert {row["group"] for row in parts if row["part"] != "test"} == {
            f"P{other}" for other in range(3) if other != fold
        }
    assert done.report["out_of_fold"]["n_units"] == 3
    check_wells(tmp_path / "run" / "fold-1" / "evaluation")
    with pytest.raises(ValueError, match="no groups to leave out"):
        validate(cells, tmp_path / "other", data, **split)


def check_wells(evaluation: Path) -> None:
    """Predictions carry plate and well along, and wells are those of the tested plate."""
    rows = [row for row in read_csv(evaluation / "predictions.csv") if row["part"] == "test"]
    assert {row["plate"] for row in rows} == {"P1"}
    of_well = {row["well"]: row for row in rows}  # one image each
    wells = [row for row in read_csv(evaluation / "wells.csv") if row["part"] == "test"]
    assert [row["well"] for row in wells] == ["c1", "c2", "c3", "w1", "w2", "w3"]
    for row in wells:
        image = of_well[row["well"]]
        assert (row["plate"], row["label"], row["predicted"], row["p_wild"]) == (
            "P1", image["label"], image["predicted"], image["p_wild"],
        )  # fmt: skip
    report = read_json(evaluation / "report.json")["wells"]["test"]
    assert report["accuracy_of_wells"]["n_right"] == sum(r["label"] == r["predicted"] for r in rows)
    assert (evaluation / "plates.png").is_file()
    plates = read_csv(evaluation / "plates.csv")
    assert {row["plate"] for row in plates if row["part"] == "test"} == {"P1"}
