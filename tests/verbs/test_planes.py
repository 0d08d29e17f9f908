"""A whole run on images of five planes, one of which holds the class."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.formats.stack import Stack
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.splits import SplitSettings
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.lime.lime import Lime
from cellxai.files.config import read_config
from cellxai.files.folder import RunFolder, read_csv, read_json
from cellxai.trained.run import load_run
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.crossvalidate import crossvalidate
from cellxai.verbs.density.verb import density
from cellxai.verbs.evaluate.verb import evaluate
from cellxai.verbs.explain.verb import explain
from cellxai.verbs.export import export, load_exported
from cellxai.verbs.features import features
from cellxai.verbs.fit import fit
from cellxai.verbs.preview import preview
from cellxai.verbs.report import report
from cellxai.verbs.score.verb import score
from tests.support.stained import PLANES, StainedTiffs, write_stained

pytestmark = pytest.mark.slow
NAMED = Transforms(
    (32, 32), planes=PLANES, clahe=False, sixteen_bit="training", stack=Stack(axes="CYX")
)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> StainedTiffs:
    return StainedTiffs(write_stained(tmp_path_factory.mktemp("stained") / "cells", 16, 32))


def arguments(source, folder, **loading):
    return {
        "data": source, "run": folder, "transforms": NAMED,
        "model": ModelSettings(TimmBackbone("test_efficientnet")),
        "training": TrainingSettings(
            epochs=4, batch_size=8, device="cpu", optimiser=OptimiserSettings(learning_rate=3e-3)
        ),
        "loading": LoadingSettings(**loading),
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("five")
    fit(**arguments(source, folder / "run", cache=folder / "cache"))
    return folder / "run"


def test_what_is_measured_of_the_training_images_is_in_the_config_and_the_run_is_the_same(
    run, source
):
    config = read_config(run / "config.yaml")
    assert len(config["transforms"]["levels"]) == 5
    trained = load_run(run, "cpu")
    pixels = trained.images.images("train").double() / 255
    assert pixels.shape[1:] == (5, 32, 32)
    moments = config["model"]["backbone"]["init_args"]
    np.testing.assert_allclose(moments["mean"], pixels.mean((0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(moments["std"], pixels.transpose(0, 1).flatten(1).std(1), rtol=1e-3)
    before = (run / "metrics.csv").read_bytes()
    fit(**arguments(source, run, cache=run.parent / "cache"))  # finished: nothing is done
    assert (run / "metrics.csv").read_bytes() == before


def test_every_verb_takes_five_planes(run, source, unrendered, tmp_path):
    evaluate(run, device="cpu")
    density(run, device="cpu")
    explainers = {"lime": Lime(n_samples=40), "grad-cam": GradCam()}
    explain(run, explainers=explainers, images_per_class=1, device="cpu")
    entries = read_json(run / "explain" / "index.json")["images"]
    assert all(entry["plane_names"] == PLANES for entry in entries)
    assert all((run / "explain" / entry["planes"]).exists() for entry in entries)
    export(run, tmp_path / "out", format="torch_export", device="cpu")
    card = read_json(tmp_path / "out" / "card.json")
    assert (card["input"]["channels"], card["input"]["planes"]) == (5, PLANES)
    trained = load_run(run, "cpu")
    images = torch.cat([trained.pixels("test", place) for place in range(2)])
    exported = load_exported(tmp_path / "out")
    torch.testing.assert_close(exported.logits(images), trained.outputs("test")[0][:2])
    features(run, out=tmp_path / "features.safetensors", device="cpu")
    preview(source, tmp_path / "preview", NAMED, n_images=2)
    report(run)
    page = RunFolder(run).report.read_text(encoding="utf-8")
    assert page.count("then each plane by itself") == len(entries)


def test_files_and_records_are_scored_as_they_were_judged(run, source, tmp_path):
    evaluate(run, device="cpu")
    judged = read_csv(run / "evaluation" / "predictions.csv")
    shares = np.array(
        [[float(row[f"p_{name}"]) for name in ("control", "treated")] for row in judged]
    )
    fitted = read_json(run / "evaluation" / "report.json")["temperature"]["value"]
    cooled = shares ** (1 / (fitted or 1))  # none where every validation image is right
    tempered = (cooled / cooled.sum(1, keepdims=True))[:, 1]
    before = {row["id"]: share for row, share in zip(judged, tempered, strict=True)}
    paths = {record.id: record.path for record in source.scan().records}
    files = [str(paths[name]) for name in before]
    of_files = score(run, files, out=tmp_path / "files", device="cpu")
    assert of_files.n_images == len(before)
    for row in read_csv(tmp_path / "files" / "scores.csv"):
        path = Path(row["path"])
        name = f"{path.parent.name}_{path.stem}"
        assert float(row["p_treated"]) == pytest.approx(before[name], abs=1e-3)


def test_every_image_is_judged_once_by_a_fold_that_measured_its_own_levels(source, tmp_path):
    once = arguments(source, tmp_path / "cv")
    training = replace(once["training"], epochs=1)
    crossvalidate(**once | {"training": training}, split=SplitSettings(n_folds=3))
    rows = read_csv(tmp_path / "cv" / "crossvalidation.csv")
    assert len({row["id"] for row in rows}) == len(rows) == 32
    assert {row["by_pixel_sd"] for row in rows} <= {"control", "treated"}
    configs = [read_config(tmp_path / "cv" / f"fold-{fold}" / "config.yaml") for fold in range(3)]
    assert len({str(config["transforms"]["levels"]) for config in configs}) > 1


def test_the_tensor_pipeline_trains_on_five_planes_too(source, tmp_path):
    fit(**arguments(source, tmp_path / "run", pipeline="tensor"))
    assert len(read_csv(tmp_path / "run" / "metrics.csv")) == 4
    assert load_run(tmp_path / "run", "cpu").outputs("test")[0].isfinite().all()


def test_a_backbone_for_three_planes_is_refused_in_one_line(source, tmp_path):
    from tests.support.small_training import SmallBackbone

    wrong = arguments(source, tmp_path / "run") | {"model": ModelSettings(SmallBackbone())}
    with pytest.raises(ValueError, match=r"SmallBackbone takes 3 planes.*has 5; make SmallBackb"):
        fit(**wrong)
