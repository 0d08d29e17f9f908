import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from small_explanations import EXPLAINERS, REGIONS, read_index, read_maps

from cellxai.adapters.explained_score import attach_score
from cellxai.adapters.nearest import NearestInRun
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.controls import Edges
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.figures.explanations.lime_mask import LimeMask
from cellxai.files.config import build_arguments
from cellxai.trained.run import load_run
from cellxai.verbs.explain import explain
from cellxai.verbs.report import report
from gmm.commandline.parser import arguments_of


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
    [
        ("logit", "logit of "),
        ("probability", "probability of "),
        ("log_odds", "log-odds of "),
        ("sigmoid", "probability of "),
        ("sigmoid_log_odds", "log-odds of "),
    ],
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


def test_methods_with_rules_explain_log_odds(run):
    result = explain(run, "lime,gradcam,lrp,lrp-gamma-box", superpixels=REGIONS, score="log_odds")
    for entry in read_index(result)["images"]:
        statuses = {name: row["status"] for name, row in entry["explainers"].items()}
        assert statuses["lrp"] == statuses["lrp-gamma-box"] == statuses["gradcam"] == "ok"
        reason = entry["explainers"]["lrp"]["reason"]
        assert reason in ("", "the map sums to Σ logit × slope of the score, not to the score")
    assert "lrp" not in result.doubts


def test_a_chosen_class_is_explained_of_images_of_other_labels(run):
    trained, surrogate = load_run(run), {"ablation": FeatureAblation()}
    result = explain(run, surrogate, REGIONS, target="cort")
    column = trained.classes.index("cort")
    for entry in read_index(result)["images"]:
        assert (entry["target"], entry["explained"]) == ("cort", "logit of cort (nats)")
        saved = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")
        image, regions = saved["image"][None], saved["superpixels"][None]
        hidden = torch.where(regions == 0, BlurBaseline().fill(image, regions), image)
        with torch.no_grad():
            fall = (trained.classifier(image) - trained.classifier(hidden))[0, column]
        first = saved["map/ablation"][saved["superpixels"] == 0]
        torch.testing.assert_close(first.mean(), fall, rtol=1e-3, atol=1e-5)
    assert len({entry["label"] for entry in read_index(result)["images"]}) == 3
    again = explain(run, surrogate, REGIONS, target=str(column))
    assert again.n_kept == len(again.images)
    assert explain(run, surrogate, REGIONS, target="astro").n_kept < len(again.images)


@pytest.mark.renders
def test_several_classes_of_an_image_have_maps_and_pictures_of_their_own(drawn_run):
    own = load_run(drawn_run).images.records("test")[0].id
    explainers = {"LIME": EXPLAINERS["LIME"]}
    mask = LimeMask(positive_only=False, hide_rest=True)
    result = explain(drawn_run, explainers, REGIONS, images=[own], top_labels=2, mask=mask)
    assert result.images == (own, f"{own}__top2")
    first, second = read_index(result)["images"]
    assert first["predicted"] == first["target"] == second["predicted"] != second["target"]
    maps = [read_maps(result, entry["id"])["LIME"] for entry in (first, second)]
    assert not torch.equal(*maps)
    names = {entry[key] for entry in (first, second) for key in ("lime", "comparison")}
    assert len(names) == 4
    assert all((result.folder / name).is_file() for name in names)
    report(drawn_run)
    assert f"{own}__top2" in (drawn_run / "report" / "index.html").read_text()


def test_other_options_of_the_mask_draw_anew(run):
    explainers = {"edges": Edges()}
    explain(run, explainers, REGIONS)
    assert explain(run, explainers, REGIONS).n_kept == 3
    assert explain(run, explainers, REGIONS, mask=LimeMask()).n_kept == 0
    assert explain(run, explainers, REGIONS, mask=LimeMask()).n_kept == 3


def test_the_command_line_reaches_the_class_and_every_option_of_the_mask():
    words = "--run r --target astro --mask.positive_only false --mask.negative_only true"
    words += " --mask.hide_rest true --mask.num_features 3 --mask.min_weight 0.25"
    words += " --score sigmoid_log_odds"
    arguments = arguments_of("cellxai explain", explain, words.split())
    assert arguments["mask"] == LimeMask(False, True, True, 3, 0.25)
    assert (arguments["target"], arguments["score"]) == ("astro", "sigmoid_log_odds")
    arguments = arguments_of("cellxai explain", explain, ["--run", "r", "--top_labels", "3"])
    assert (arguments["top_labels"], arguments["mask"], arguments["target"]) == (3, None, None)


def test_an_explainer_with_its_options_is_named_on_the_command_line():
    lrp = '{"mine": {"class_path": "cellxai.explain.backward.LRP", "init_args": '
    lrp += '{"composite": "epsilon-gamma-box", "gamma": 0.5, "box": [0, 1]}}}'
    arguments = arguments_of("cellxai explain", explain, ["--run", "r", "--explainers", lrp])
    mine = arguments["explainers"]["mine"]
    assert (mine.composite, mine.gamma, mine.box) == ("epsilon-gamma-box", 0.5, (0.0, 1.0))


@pytest.mark.parametrize("score", ["sigmoid", "sigmoid_log_odds"])
def test_the_probability_of_labels_is_their_sigmoid(run, score):
    result = explain(run, {"edges": Edges()}, REGIONS, score=score)
    trained = load_run(run)
    for entry in read_index(result)["images"]:
        saved = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")
        with torch.no_grad():
            probability = trained.classifier(saved["image"][None]).sigmoid().max()
        assert entry["probability"] == pytest.approx(float(probability), abs=1e-3)


def test_a_batch_size_is_found_once_a_run(run, monkeypatch):
    explain(run, {"edges": Edges()}, REGIONS)
    batch_size = read_index(explain(run, {"edges": Edges()}, REGIONS))["batch_size"]
    assert list(json.loads((run / "explain" / "batch_size.json").read_text()).values()) == [
        batch_size
    ]


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
