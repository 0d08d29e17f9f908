import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from cellxai.adapters.explained_score import scored_run
from cellxai.adapters.nearest import NearestInRun
from cellxai.adapters.second_run import RunDensity
from cellxai.density import PipelineSettings
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.baselines import BlurBaseline, ConstantBaseline
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.superpixels.methods import Grid
from cellxai.figures.explanation_grid import draw_grid
from cellxai.figures.explanations import draw_comparison
from cellxai.files.config import build_arguments
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.explain import Explained, explain
from cellxai.verbs.report import report

EXPLAINERS = {
    "LIME": LimeReference(n_samples=20),
    "Saliency": Saliency(),
    "edges": Edges(),
    "random": RandomAttribution(),
}
REGIONS = Grid(size_px=16)


def maps(found: Explained, image: str) -> dict[str, torch.Tensor]:
    """The saved maps of one image by the name of the explainer."""
    saved = load_file(found.folder / "maps" / f"{image}.safetensors")
    return {name.removeprefix("map/"): saved[name] for name in saved if name.startswith("map/")}


def index(found: Explained) -> dict:
    return json.loads((found.folder / "index.json").read_text())


@pytest.mark.renders
def test_images_from_outside_the_run_are_prepared_and_explained_like_its_own(drawn_run, tmp_path):
    own = load_run(drawn_run).images.records("test")[0]
    (tmp_path / "photos").mkdir()
    shutil.copy(own.path, tmp_path / "photos" / "new.png")
    (tmp_path / "photos" / "torn.png").write_bytes(own.path.read_bytes()[:99])
    found = explain(drawn_run, EXPLAINERS, REGIONS, images=[own.id, str(tmp_path / "photos")])
    assert found.images == (own.id, "photos__new")
    assert "torn.png" in str(found).splitlines()[-1]
    assert "torn.png" in index(found)["left_out"][0]
    for name, values in maps(found, own.id).items():
        torch.testing.assert_close(maps(found, "photos__new")[name], values, rtol=1e-3, atol=1e-6)
    stranger = index(found)["images"][1]
    assert (stranger["label"], stranger["part"]) == (None, "outside")
    assert all((found.folder / stranger[key]).exists() for key in ("lime", "comparison"))
    report(drawn_run)
    assert "photos__new" in (drawn_run / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("score", "words"),
    [("logit", "logit of "), ("probability", "probability of "), ("log_odds", "log-odds of ")],
)
def test_the_score_that_is_explained_is_told(run, score, words):
    found = explain(run, {"ablation": FeatureAblation()}, REGIONS, score=score)
    assert index(found)["score"]["units"]
    trained = load_run(run)
    for one in index(found)["images"]:
        assert one["explained"].startswith(words + one["predicted"])
        saved = load_file(found.folder / "maps" / f"{one['id']}.safetensors")
        first = saved["superpixels"] == 0
        image, regions = saved["image"][None], saved["superpixels"][None]
        hidden = torch.where(first, BlurBaseline().fill(image, regions), image)
        scored = scored_run(trained, score).model
        with torch.no_grad():
            before, after = scored(image), scored(hidden)
        fall = (before - after)[0, trained.classes.index(one["predicted"])]
        torch.testing.assert_close(saved["map/ablation"][first].mean(), fall, rtol=1e-3, atol=1e-5)


def test_a_batch_size_is_found_once_a_run(run, monkeypatch):
    explain(run, {"edges": Edges()}, REGIONS)
    told = index(explain(run, {"edges": Edges()}, REGIONS))["batch_size"]
    assert list(json.loads((run / "explain" / "batch_size.json").read_text()).values()) == [told]


@pytest.mark.slow
def test_the_baseline_is_told_by_how_much_it_is_off_the_data(run):
    first = explain(run, {"edges": Edges()}, REGIONS)
    assert {one["baseline_off_data_nats"] for one in index(first)["images"]} == {None}
    trained = load_run(run)
    density_of_run(trained)
    found = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline(), score="density")
    black = torch.zeros_like(trained.pixels("test", 0))
    density = RunDensity(run)
    for one in index(found)["images"]:
        saved = load_file(found.folder / "maps" / f"{one['id']}.safetensors")
        fall = density.log_density(saved["image"][None]) - density.log_density(black)
        assert one["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)
        assert one["explained"] == "log-density of the image (nats)"
    report(run)
    assert "its baseline is " in (run / "report" / "index.html").read_text()


def test_a_density_of_another_layer_judges_the_baseline_by_that_layer(run):
    settings = PipelineSettings("backbone.blocks.0", n_components=(1,), covariance_types=("diag",))
    density_of_run(load_run(run), settings)
    found = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline())
    density = RunDensity(run)
    for one in index(found)["images"]:
        image = load_file(found.folder / "maps" / f"{one['id']}.safetensors")["image"][None]
        fall = density.log_density(image) - density.log_density(torch.zeros_like(image))
        assert one["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)


def test_the_nearest_training_image_is_a_baseline_from_a_config(run, tmp_path):
    (tmp_path / "nearest.yaml").write_text(f"""
run: {run}
explainers: {{ablation: cellxai.explain.hiding.occlusion.FeatureAblation}}
superpixels: {{class_path: cellxai.explain.superpixels.methods.Grid, init_args: {{size_px: 32}}}}
baseline: {{class_path: cellxai.adapters.nearest.NearestInRun, init_args: {{run: {run}}}}}
""")
    found = explain(**build_arguments(explain, tmp_path / "nearest.yaml"))
    trained, (image, *_) = load_run(run), index(found)["images"]
    saved = load_file(found.folder / "maps" / f"{image['id']}.safetensors")
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

    def strip(image, maps, path, title, **also):
        drawn["strip"] += [name for name in maps if name in also["notes"]]
        draw_comparison(image, maps, path, title, **also)

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
    found = explain(**build_arguments(explain, tmp_path / "own.yaml"))
    assert drawn == {"strip": ["mine", "edges"] * 3, "grid": ["mine", "edges"] * 3}
    saved = load_file(found.folder / "maps" / f"{found.images[0]}.safetensors")
    torch.testing.assert_close(saved["map/mine"], 3 * (1 - saved["image"].mean(0)))
    report(run)
    assert ">mine<" in (run / "report" / "index.html").read_text()
