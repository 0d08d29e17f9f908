from dataclasses import replace

import numpy as np
from small_density import SETTINGS, column, figures

from cellxai.density import DensityPipeline
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density

COLUMNS = ("id", "set", "part", "label", "predicted", "log_density", "class_log_density",
           "reconstruction_error", "unfamiliar")  # fmt: skip


def test_every_image_of_every_set_has_a_row(scored):
    rows = read_csv(scored.folder / "scores.csv")
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    split = read_csv(scored.folder.parent / "split.csv")
    own = {(row["id"], row["set"], row["label"]) for row in rows if row["part"] != "unfamiliar"}
    assert own == {(row["id"], row["part"], row["label"]) for row in split}
    roles = {"train": "fitted", "validation": "calibrating", "test": "judged"}
    assert {row["set"]: row["part"] for row in rows} == roles | {
        "spoiled": "unfamiliar", "dark": "unfamiliar"
    }  # fmt: skip
    assert sum(row["set"] == "spoiled" for row in rows) == 6
    assert {row["id"] for row in rows if row["set"] == "dark"} == {
        row["id"] for row in rows if row["set"] == "test"
    }


def test_pictures_and_tables_are_written(scored):
    for picture in ("histogram", "extremes", "gap", "projection", "selection", "detectors",
                    "reliability"):  # fmt: skip
        assert (scored.folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    candidates = read_csv(scored.folder / "selection.csv")
    assert len(candidates) == 4
    best = min(candidates, key=lambda row: float(row["held_out"]))
    record = figures(scored)
    assert (int(best["n_components"]), best["covariance_type"]) == (
        record["n_components"],
        record["covariance_type"],
    )
    points = read_csv(scored.folder / "projection.csv")
    assert len(points) == len(read_csv(scored.folder / "scores.csv"))


def test_a_mixture_per_class_reports_the_density_of_the_predicted_class(run):
    result = density(run, replace(SETTINGS, per_class=True, projection=1), detectors={})
    pipeline = DensityPipeline.load(result.folder / "pipeline.safetensors")
    logits, features = load_run(run).outputs("test")
    expected = pipeline.class_log_density(features.double(), logits.argmax(1))
    np.testing.assert_allclose(column(result, "test", "class_log_density"), expected, rtol=1e-8)
    assert {row["class"] for row in read_csv(result.folder / "selection.csv")} == {
        "astro", "cort", "shsy5y"
    }  # fmt: skip
