import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from small_explanations import EXPLAINERS, REGIONS, read_index, read_maps

from cellxai.adapters.explained_score import attach_score
from cellxai.adapters.nearest import NearestInRun
from cellxai.adapters.second_run import RunDensity
from cellxai.density import PipelineSettings
from cellxai.explain.baselines import BlurBaseline, ConstantBaseline
from cellxai.explain.controls import Edges
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.figures.explanations.comparison import draw_comparison
from cellxai.figures.explanations.grid import draw_grid
from cellxai.files.config import build_arguments
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.explain import explain
from cellxai.verbs.report import report


@pytest.mark.renders
def test_images_from_outside_the_run_are_prepared_and_explained_like_its_own(drawn_run, tmp_path):
    own = load_run(drawn_run).images.records("test")[0]
    (tmp_path / "photos").mkdir()
    shutil.copy(own.path, tmp_path / "photos" / "new.png")
    (tmp_path / "photos" / "torn.png").write_bytes(own.path.read_bytes()[:99])
    result = explain(drawn_run, EXPLAINERS, REGIONS, images=[own.id, str(tmp_path / "photos")])
    assert result.images == (own.id, "photos__new")
    assert "torn.png" in str(result).splitlines()[-1]
    assert "torn.png" in read_index(result)["left_out"][0]
    for name, values in read_maps(result, own.id).items():
        torch.testing.assert_close(
            read_maps(result, "photos__new")[name], values, rtol=1e-3, atol=1e-6
        )
    stranger = read_index(result)["images"][1]
    assert (stranger["label"], stranger["part"]) == (None, "outside")
    assert all((result.folder / stranger[key]).exists() for key in ("lime", "comparison"))
    report(drawn_run)
    assert "photos__new" in (drawn_run / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("score", "words"),
    [("logit", "logit of "), ("probability", "probability of "), ("log_odds", "log-odds of ")],
)
def test_the_score_that_is_explained_is_told(run, score, words):
    result = explain(run, {"ablation": FeatureAblation()}, REGIONS, score=score)
    assert read_index(result)["score"]["units"]
    trained = load_run(run)
    for entry in read_index(result)["images"]:
        assert entry["explained"].startswith(words + entry["predicted"])
        saved = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")
        first = saved["superpixels"] == 0
        image, regions = saved["image"][None], saved["superpixels"][None]
        hidden = torch.where(first, BlurBaseline().fill(image, regions), image)
        scored = attach_score(trained, score).model
        with torch.no_grad():
            before, after = scored(image), scored(hidden)
        fall = (before - after)[0, trained.classes.index(entry["predicted"])]
        torch.testing.assert_close(saved["map/ablation"][first].mean(), fall, rtol=1e-3, atol=1e-5)


def test_a_batch_size_is_found_once_a_run(run, monkeypatch):
    explain(run, {"edges": Edges()}, REGIONS)
    told = read_index(explain(run, {"edges": Edges()}, REGIONS))["batch_size"]
    assert list(json.loads((run / "explain" / "batch_size.json").read_text()).values()) == [told]


@pytest.mark.slow
def test_the_baseline_is_told_by_how_much_it_is_off_the_data(run):
    first = explain(run, {"edges": Edges()}, REGIONS)
    assert {entry["baseline_off_data_nats"] for entry in read_index(first)["images"]} == {None}
    trained = load_run(run)
    density_of_run(trained)
    result = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline(), score="density")
    black = torch.zeros_like(trained.pixels("test", 0))
    density = RunDensity(run)
    for entry in read_index(result)["images"]:
        saved = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")
        fall = density.log_density(saved["image"][None]) - density.log_density(black)
        assert entry["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)
        assert entry["explained"] == "log-density of the image (nats)"
    report(run)
    assert "its baseline is " in (run / "report" / "index.html").read_text()


def test_a_density_of_another_layer_judges_the_baseline_by_that_layer(run):
    settings = PipelineSettings("backbone.blocks.0", n_components=(1,), covariance_types=("diag",))
    density_of_run(load_run(run), settings)
    result = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline())
    density = RunDensity(run)
    for entry in read_index(result)["images"]:
        image = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")["image"][None]
        fall = density.log_density(image) - density.log_density(torch.zeros_like(image))
        assert entry["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)


def test_the_nearest_training_image_is_a_baseline_from_a_config(run, tmp_path):
    (tmp_path / "nearest.yaml").write_text(f"""
run: {run}
explainers: {{ablation: cellxai.explain.hiding.FeatureAblation}}
superpixels: {{class_path: cellxai.explain.superpixels.Grid, init_args: {{size_px: 32}}}}
baseline: {{class_path: cellxai.adapters.nearest.NearestInRun, init_args: {{run: {run}}}}}
""")
    result = explain(**build_arguments(explain, tmp_path / "nearest.yaml"))
    trained, (image, *_) = load_run(run), read_index(result)["images"]
    saved = load_file(result.folder / "maps" / f"{image['id']}.safetensors")
    whole, regions = saved["image"][None], saved["superpixels"][None]
    hidden = NearestInRun(run).fill(whole, regions)
    changed = torch.where(regions[:, None] == 0, hidden, whole)
    with torch.no_grad():
        fall = (trained.classifier(whole) - trained.classifier(changed))[0]
    fall = fall[trained.classes.index(image["predicted"])]
    first = saved["map/ablation"][saved["superpixels"] == 0]
    torch.testing.assert_close(first.mean(), fall, rtol=1e-3, atol=1e-5)


def test_every_picture_shows_an_explainer_of_ones_own(run, tmp_path, monkeypatch):
    monkeypatch.undo()
    drawn: dict[str, list[str]] = {"strip": [], "grid": []}

    def strip(comparison, path):
        drawn["strip"] += [name for name in comparison.maps if name in comparison.notes]
        draw_comparison(comparison, path)

    def grid(rows, path):
        drawn["grid"] += [name for row in rows for name in row.maps]
        draw_grid(rows, path)

    monkeypatch.setattr("cellxai.verbs.explain.pictures.draw_comparison", strip)
    monkeypatch.setattr("cellxai.verbs.explain.verb.draw_grid", grid)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_lab.py").write_text("""
from cellxai.explain.base import Attribution, Explainer

class Darkness(Explainer):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def attribute(self, model, images, targets, context):
        return Attribution((1 - images.mean(1)) * self.factor)
""")
    (tmp_path / "own.yaml").write_text(f"""
run: {run}
explainers:
  mine: {{class_path: own_lab.Darkness, init_args: {{factor: 3.0}}}}
  edges: cellxai.explain.controls.Edges
""")
    result = explain(**build_arguments(explain, tmp_path / "own.yaml"))
    assert drawn == {"strip": ["mine", "edges"] * 3, "grid": ["mine", "edges"] * 3}
    saved = load_file(result.folder / "maps" / f"{result.images[0]}.safetensors")
    torch.testing.assert_close(saved["map/mine"], 3 * (1 - saved["image"].mean(0)))
    report(run)
    assert ">mine<" in (run / "report" / "index.html").read_text()
