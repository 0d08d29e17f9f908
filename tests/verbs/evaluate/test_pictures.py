import json

import numpy as np
import pytest
import torch

from cellxai.evaluation.judgement import PartJudgement
from cellxai.files.folder import read_csv
from cellxai.verbs.evaluate.pictures import curve_rows, roc_curves


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_a_class_without_images_has_a_reason_and_no_mean_takes_it_for_a_value():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(30, 3, generator=generator), torch.arange(30) % 2
    judged = PartJudgement("test", ("a", "b", "none"), logits, labels, np.arange(30))
    ranking = judged.report["ranking"]
    assert ranking["per_class"]["none"] == {
        "auroc": None, "average_precision": None, "problem": "no image of this class in this part",
    }  # fmt: skip
    kept = [ranking["per_class"][name]["auroc"] for name in "ab"]
    assert ranking["macro_auroc"] == pytest.approx(np.mean(kept))
    json.dumps(judged.report, allow_nan=False)
    assert [curve.name for curve in roc_curves(judged.curves)] == ["a", "b", "none", "macro"]
    blank = [row for row in curve_rows(judged.curves) if row["class"] == "none"]
    assert {row["recall"] for row in blank} == {""}


def test_the_sheet_of_mistakes_is_there_as_long_as_there_are_mistakes(
    tiny_run, tmp_path, evaluated
):
    rows = read_csv(evaluated.folder / "predictions.csv")
    wrong = [row for row in rows if row["part"] == "test" and row["label"] != row["predicted"]]
    assert (evaluated.folder / "mistakes.png").exists() == bool(wrong)


def test_the_curves_are_stored_for_ones_own_plots(evaluated, report):
    rows = read_csv(evaluated.folder / "roc.csv")
    for name in report["classes"]:
        fpr, recall = (
            np.array([float(row[column]) for row in rows if row["class"] == name])
            for column in ("false_positive_rate", "recall")
        )
        area = report["parts"]["test"]["ranking"]["per_class"][name]["auroc"]
        assert np.trapezoid(recall, fpr) == pytest.approx(area, abs=1e-5)
