import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_density import SETTINGS, column

from cellxai.files.folder import read_csv

COLUMNS = ("id", "set", "part", "label", "predicted", "p", "log_p", "unfamiliar", "view")


def test_every_image_of_every_set_has_a_row(scored):
    rows = read_csv(scored.folder / "scores.csv")
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    split = read_csv(scored.folder.parent / "split.csv")
    own = {(row["id"], row["set"], row["label"]) for row in rows if row["part"] != "unfamiliar"}
    assert own == {(row["id"], row["part"], row["label"]) for row in split}
    roles = {"train": "fitted", "validation": "fitted", "test": "judged"}
    assert {row["set"]: row["part"] for row in rows} == roles | {
        "spoiled": "unfamiliar", "dark": "unfamiliar"
    }  # fmt: skip
    assert sum(row["set"] == "spoiled" for row in rows) == 6
    assert {row["id"] for row in rows if row["set"] == "dark"} == {
        row["id"] for row in rows if row["set"] == "test"
    }


def test_pictures_and_tables_are_written(scored):
    for picture in ("histogram", "extremes", "projection", "selection", "detectors",
                    "reliability"):  # fmt: skip
        assert (scored.folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    candidates = read_csv(scored.folder / "selection.csv")
    assert len(candidates) == 4
    assert {row["view"] for row in candidates} == {"penultimate"}


def test_every_view_has_its_own_share_in_finding_each_set(scored):
    rows = read_csv(scored.folder / "views.csv")
    assert SETTINGS.views is not None
    names = {(name, view) for name in ("spoiled", "dark") for view in SETTINGS.views}
    assert {(row["set"], row["view"]) for row in rows} == names
    for name in ("spoiled", "dark"):
        shares = [float(row["most_surprised_share"]) for row in rows if row["set"] == name]
        assert sum(shares) == pytest.approx(1)
    (row,) = [row for row in rows if (row["set"], row["view"]) == ("dark", "tones")]
    usual, strange = (column(scored, name, "p: tones") for name in ("test", "dark"))
    truth = np.r_[np.zeros(len(usual)), np.ones(len(strange))]
    assert float(row["auroc"]) == pytest.approx(roc_auc_score(truth, -np.r_[usual, strange]))
