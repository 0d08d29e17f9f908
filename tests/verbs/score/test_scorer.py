import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_card import rewrite
from score_rows import rows_in

from cellxai.adapters.place_density import read_place_density
from cellxai.data.records import Record
from cellxai.density.pipeline import DensityPipeline
from cellxai.trained import image_stream as imagestream
from cellxai.trained.run import load_run
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.export import export
from cellxai.verbs.score import score
from cellxai.verbs.score.table import COLUMNS


@pytest.mark.renders
def test_rows_hold_what_classifier_and_density_say(run, plate, tmp_path):
    result = score(run, str(plate), tmp_path / "out", device="cpu")
    rows, trained = rows_in(tmp_path / "out"), load_run(run, "cpu")
    assert list(rows[0]) == [*COLUMNS, *(f"p_{name}" for name in trained.classes)]
    assert [row["path"] for row in rows] == [str(path) for path in sorted(plate.glob("*.png"))]
    (chunk,) = imagestream.stream_outputs(
        [trained.images.all_records[0].__class__(row["id"], Path(row["path"]), "") for row in rows],
        trained.transforms, trained.classifier.features, trained.device,
    )  # fmt: skip
    features, pipeline = chunk.outputs, DensityPipeline.load(run / "density/pipeline.safetensors")
    with torch.no_grad():
        shares = trained.classifier.head[-1](features).softmax(1)
    likeliest = shares.max(1)
    written = np.array([[float(row[f"p_{name}"]) for name in trained.classes] for row in rows])
    np.testing.assert_allclose(written, shares, atol=1e-6)
    np.testing.assert_allclose(written.sum(1), 1, atol=3e-6)
    named = ("probability", "log_density", "class_log_density", "unfamiliar")
    numbers = {name: np.array([float(row[name]) for row in rows]) for name in named}
    np.testing.assert_allclose(numbers["probability"], likeliest.values, atol=1e-6)
    assert [row["predicted"] for row in rows] == [trained.classes[i] for i in likeliest.indices]
    expected = pipeline.score_samples(features.double()).numpy()
    np.testing.assert_allclose(numbers["log_density"], expected, atol=1e-5)
    of_class = pipeline.class_log_density(features.double(), likeliest.indices).numpy()
    np.testing.assert_allclose(numbers["class_log_density"], of_class, atol=1e-5)
    assert (numbers["unfamiliar"] == pipeline.unfamiliar(features)).all()
    assert (result.n_images, result.n_before) == (10, 0)
    assert result.n_unfamiliar == numbers["unfamiliar"].sum()
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_density_of_places_stands_beside_the_other_and_changes_nothing_of_it(
    run, run_with_places, plate, tmp_path
):
    score(run, str(plate), tmp_path / "without", device="cpu")
    result = score(run_with_places, str(plate), tmp_path / "out", device="cpu")
    own = ("places_log_density", "places_unfamiliar")
    before, rows = rows_in(tmp_path / "without"), rows_in(tmp_path / "out")
    assert {row[name] for row in before for name in own} == {""}
    assert [row | dict.fromkeys(own, "") for row in rows] == before
    trained = load_run(run_with_places, "cpu")
    places = read_place_density(trained)
    records = [Record(name, plate / f"{name}.png", "")
               for name in (Path(row["path"]).stem for row in rows)]  # fmt: skip
    (chunk,) = imagestream.stream_outputs(records, trained.transforms, places, trained.device)
    assert [row["places_log_density"] for row in rows] == [f"{x:.6f}" for x in chunk.outputs[:, 0]]
    flags = places.threshold.flags(chunk.outputs[:, 0].double().numpy())
    assert [row["places_unfamiliar"] for row in rows] == [str(int(flag)) for flag in flags]
    assert result.n_places_unfamiliar == flags.sum()
    assert f"least known places: {flags.sum()} unfamiliar" in str(result)


def test_without_a_density_images_are_classified_and_the_next_step_is_named(run, plate, tmp_path):
    copy, out = Path(shutil.copytree(run, tmp_path / "run")), tmp_path / "out"
    whole = score(copy, str(plate), tmp_path / "whole", device="cpu")
    shutil.move(copy / "density", tmp_path / "density")
    result = score(copy, str(plate), out, device="cpu")
    of_density = ("log_density", "class_log_density", "unfamiliar")
    expected = [row | dict.fromkeys(of_density, "") for row in rows_in(whole.folder)]
    assert_alike(rows_in(out), expected)
    assert (result.n_images, result.n_unfamiliar, result.threshold) == (10, None, None)
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
