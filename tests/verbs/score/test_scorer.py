import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from exported_card import rewrite
from scipy.stats import false_discovery_control
from score_rows import rows_in

from cellxai.data.readers.unlabelled import records_of_files
from cellxai.data.records import Scan, Source
from cellxai.density.observing import observe_run
from cellxai.density.pipeline import DensityPipeline
from cellxai.trained.run import load_run
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.export import export
from cellxai.verbs.score import score
from cellxai.verbs.score.table import COLUMNS


class Named(Source):
    """A source of the images in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scan(self) -> Scan:
        return Scan(tuple(records_of_files(sorted(self.folder.glob("*.png")))), (), ())


@pytest.mark.renders
def test_rows_hold_what_classifier_and_density_say(run, plate, tmp_path):
    result = score(run, str(plate), tmp_path / "out", device="cpu")
    rows, trained = rows_in(tmp_path / "out"), load_run(run, "cpu")
    assert list(rows[0]) == [*COLUMNS, *(f"p_{name}" for name in trained.classes)]
    assert [row["path"] for row in rows] == [str(path) for path in sorted(plate.glob("*.png"))]
    pipeline = DensityPipeline.load(run / "density/pipeline.safetensors")
    images = observe_run(trained, pipeline.views).other("plate", Named(plate))
    likeliest = images.logits.softmax(1).max(1)
    numbers = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("probability", "known_p", "log_p", "unfamiliar")
    }
    np.testing.assert_allclose(numbers["probability"], likeliest.values, atol=1e-6)
    assert [row["predicted"] for row in rows] == [trained.classes[i] for i in likeliest.indices]
    verdicts = pipeline.judge(images.rows)
    np.testing.assert_allclose(numbers["known_p"], verdicts.p, atol=1e-6)
    np.testing.assert_allclose(numbers["log_p"], verdicts.evidence, atol=1e-2)
    assert (numbers["unfamiliar"] == verdicts.flagged.numpy()).all()
    names = list(pipeline.views)
    assert [row["view"] for row in rows] == [names[int(i)] for i in verdicts.most_surprised]
    assert [row["strange"] for row in rows] == [pipeline.views[row["view"]].meaning for row in rows]
    written = np.array([[float(row[f"p_{name}"]) for name in trained.classes] for row in rows])
    np.testing.assert_allclose(written, images.logits.softmax(1), atol=1e-6)
    expected = false_discovery_control(numbers["known_p"])
    np.testing.assert_allclose([float(row["q_value"]) for row in rows], expected, atol=1e-6)
    assert (result.n_images, result.n_before) == (10, 0)
    assert result.n_unfamiliar == numbers["unfamiliar"].sum()
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_density_images_are_classified_and_the_next_step_is_named(run, plate, tmp_path):
    copy, out = Path(shutil.copytree(run, tmp_path / "run")), tmp_path / "out"
    whole = score(copy, str(plate), tmp_path / "whole", device="cpu")
    shutil.move(copy / "density", tmp_path / "density")
    result = score(copy, str(plate), out, device="cpu")
    of_density = ("known_p", "q_value", "log_p", "unfamiliar", "view", "strange")
    expected = [row | dict.fromkeys(of_density, "") for row in rows_in(whole.folder)]
    assert_alike(rows_in(out), expected)
    assert (result.n_images, result.n_unfamiliar, result.promises) == (10, None, ())
    assert sum(result.classes.values()) == 10
    assert f"not asked: run `cellxai density --run {copy}`, then this again" in str(result)
    assert score(copy, str(plate), out, device="cpu").n_before == 10
    shutil.move(tmp_path / "density", copy / "density")
    fuller = score(copy, str(plate), out, device="cpu")
    assert (fuller.n_before, fuller.n_unfamiliar) == (0, whole.n_unfamiliar)
    assert rows_in(out) == rows_in(whole.folder)


def assert_alike(rows: list[dict[str, str]], expected: list[dict[str, str]]) -> None:
    """Equal text, and numbers equal to the rounding of another order of sums."""
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for name, cell in row.items():
            if name == "probability" or name.startswith("p_"):
                assert float(cell) == pytest.approx(float(other[name]), abs=2e-6)
            else:
                assert cell == other[name], name


def test_an_export_scores_as_its_run_does(tiny_run, plate, tmp_path):
    copy = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    for verb in ("density", "evaluation"):
        shutil.rmtree(copy / verb, ignore_errors=True)  # of another test
    by_run = score(copy, str(plate), tmp_path / "by_run", device="cpu")
    exported = export(copy, tmp_path / "export", device="cpu").folder
    shutil.rmtree(copy)
    result = score(exported, str(plate), device="cpu")
    assert result.folder == exported / "score"
    assert_alike(rows_in(result.folder), rows_in(by_run.folder))
    assert "an export has no density; score by its run folder" in str(result)


def test_a_class_that_a_card_names_is_imported_only_where_it_is_allowed(
    tiny_run, plate, tmp_path, monkeypatch
):
    exported = export(tiny_run, tmp_path / "export", device="cpu").folder
    module = tmp_path / "lab" / "mailed_lab.py"
    module.parent.mkdir()
    module.write_text(
        "from pathlib import Path\n"
        "from cellxai.classifier.backbone import Backbone, TimmBackbone\n"
        "Path(__file__).with_name('ran').touch()\n"
        "class Net(Backbone):\n"
        "    def __init__(self, name: str) -> None:\n"
        "        self.name = name\n"
        "    def build(self, load_weights: bool):\n"
        "        return TimmBackbone(self.name).build(False)\n"
    )
    monkeypatch.syspath_prepend(module.parent)
    card = json.loads((exported / "card.json").read_text())
    own = {"class_path": "mailed_lab.Net", "init_args": {"name": "test_efficientnet"}}
    rewrite(exported, network={**card["network"], "backbone": own})
    with pytest.raises(ValueError, match=r"names the class mailed_lab.Net, .* --allow mailed_lab"):
        score(exported, str(plate), device="cpu")
    assert not module.with_name("ran").exists()
    monkeypatch.setattr("gmm.commandline.trust._allowed", {"mailed_lab"})
    assert score(exported, str(plate), device="cpu").n_images == 10


def test_neither_a_run_nor_an_export_is_said(plate, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds neither config\.yaml nor card\.json"):
        score(tmp_path, str(plate), device="cpu")


def test_after_evaluate_probabilities_are_calibrated_and_possible_classes_named(
    run, plate, tmp_path
):
    copy, out = Path(shutil.copytree(run, tmp_path / "run")), tmp_path / "out"
    before = score(copy, str(plate), out, error_rate=0.3, device="cpu")
    assert "not calibrated yet: cellxai evaluate does it" in str(before)
    assert {row["possible_classes"] for row in rows_in(out)} == {""}
    plain = np.array([[float(row[f"p_{c}"]) for c in ("astro", "cort", "shsy5y")]
                      for row in rows_in(out)])  # fmt: skip
    evaluate(copy, "cpu")
    after = score(copy, str(plate), out, error_rate=0.3, device="cpu")
    assert (after.n_before, sum(after.n_in_set.values())) == (0, 10)
    trained = load_run(copy, "cpu")
    kept = json.loads((copy / "evaluation" / "calibration.json").read_text())
    calibration = np.sort(kept["nonconformity"])
    expected = plain ** (1 / (kept["temperature"] or 1.0))
    expected /= expected.sum(1, keepdims=True)
    for row, shares, raw in zip(rows_in(out), expected, plain, strict=True):
        written = [float(row[f"p_{name}"]) for name in trained.classes]
        np.testing.assert_allclose(written, shares, atol=2e-5)
        ranks = 1 + (calibration[:, None] >= (1 - raw) + 1e-5).sum(0)
        possible = {c for c, rank in zip(trained.classes, ranks, strict=True) if rank / 7 > 0.3}
        assert set(row["possible_classes"].split(" | ")) == (possible or {"(none)"})
    with pytest.raises(ValueError, match="scores by other sets of classes"):
        score(copy, str(plate), out, error_rate=0.2, device="cpu")
