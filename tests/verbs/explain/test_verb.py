import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_explanations import EXPLAINERS, REGIONS, read_index, read_maps

from cellxai.adapters.explained_images import choose_subjects
from cellxai.data.records import Columns, Record
from cellxai.explain.base import Attribution, Explainer, context_of, unsupported_attribution
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.shapley import LeverageShap
from cellxai.trained.run import load_run
from cellxai.verbs.explain import Explained, explain
from cellxai.verbs.explain.verb import index_rows, known_of


class Surrogate(Explainer):
    """Fits something, and has no superpixels."""

    def attribute(self, model, images, targets, context):
        return Attribution(images[:, 0], surrogate_r2=torch.ones(len(images)))


class Impossible(Explainer):
    """Cannot explain any model."""

    def attribute(self, model, images, targets, context):
        return unsupported_attribution(images, "this network has no such layer")


@pytest.fixture(scope="module")
def explained(tiny_run, tmp_path_factory) -> Explained:
    copy = shutil.copytree(tiny_run, tmp_path_factory.mktemp("explain") / "run")
    return explain(Path(copy), EXPLAINERS, REGIONS, seed=3)


def test_one_image_of_each_class_is_explained_by_every_explainer(explained):
    assert sorted(entry["label"] for entry in read_index(explained)["images"]) == [
        "astro",
        "cort",
        "shsy5y",
    ]
    assert [entry["id"] for entry in read_index(explained)["images"]] == list(explained.images)
    for entry in read_index(explained)["images"]:
        assert list(entry["explainers"]) == list(EXPLAINERS)
        assert set(read_maps(explained, entry["id"])) == set(EXPLAINERS)
    assert str(explained).startswith(f"{explained.folder}: 4 explainers on ")


def test_saved_maps_are_what_the_explainers_answer(explained):
    trained = load_run(explained.folder.parent)
    for subject in choose_subjects(trained, per_class=1):
        context = context_of(subject.image, REGIONS, BlurBaseline(), seed=3)
        target = torch.tensor([subject.target])
        saved = read_maps(explained, subject.record.id)
        for name in ("Saliency", "edges", "random"):
            result = EXPLAINERS[name].attribute(trained.classifier, subject.image, target, context)
            torch.testing.assert_close(saved[name], result.values[0], rtol=1e-4, atol=1e-7)


def test_the_image_and_its_superpixels_are_saved_beside_the_maps(explained):
    trained = load_run(explained.folder.parent)
    for subject in choose_subjects(trained, per_class=1):
        saved = load_file(explained.folder / "maps" / f"{subject.record.id}.safetensors")
        assert torch.equal(saved["image"], subject.image[0])
        assert torch.equal(saved["superpixels"], REGIONS.segment(subject.image)[0])


def test_the_index_tells_prediction_cost_and_fit(explained):
    settings = {"superpixels": "Grid", "baseline": "BlurBaseline", "seed": 3}
    settings |= {"layout": "channels last", "score": {"name": "logit", "units": "nats"}}
    head = read_index(explained)
    assert {name: head[name] for name in settings} == settings
    for entry in read_index(explained)["images"]:
        costs = entry["explainers"]
        assert entry["predicted"] in ("astro", "cort", "shsy5y")
        assert 1 / 3 <= entry["probability"] <= 1
        assert entry["part"] == "test"
        assert (costs["Saliency"]["forwards"], costs["Saliency"]["backwards"]) == (1, 1)
        assert costs["edges"]["forwards"] == 0
        assert costs["LIME"]["forwards"] >= 20
        assert costs["LIME"]["surrogate_r2"] is not None
        assert costs["edges"]["surrogate_r2"] is None


def test_what_a_table_says_of_an_image_stands_in_the_index_and_its_frame():
    record = Record("a", Path("a.png"), "astro", columns=Columns({"plate": "P1", "status": "old"}))
    entry = {"id": "a", "label": "astro", "predicted": "astro", "probability": 0.9,
             "explained": "logit of astro", "explainers": {"LIME": {"status": "ok"}}}  # fmt: skip
    (row,) = index_rows([entry | known_of(record)])
    assert (row["plate"], row["status"], row["data: status"]) == ("P1", "ok", "old")
    assert known_of(replace(record, columns=Columns())) == {}


def test_pictures_of_every_image_exist(explained):
    for entry in read_index(explained)["images"]:
        for picture in (entry["lime"], entry["comparison"]):
            assert (explained.folder / picture).read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_maps_and_another_seed_others(run, explained):
    again = explain(run, EXPLAINERS, REGIONS, seed=3)
    for image in explained.images:
        for name, values in read_maps(explained, image).items():
            torch.testing.assert_close(read_maps(again, image)[name], values, rtol=1e-4, atol=1e-7)
    other = explain(run, {"random": RandomAttribution()}, REGIONS, seed=4)
    image = explained.images[0]
    assert not torch.equal(read_maps(other, image)["random"], read_maps(explained, image)["random"])


def test_more_images_and_another_part_are_explained_on_request(run):
    result = explain(run, {"edges": Edges()}, REGIONS, images_per_class=2, part="train")
    assert len(result.images) == 6
    assert {entry["part"] for entry in read_index(result)["images"]} == {"train"}


def test_a_surrogate_without_superpixels_gets_no_lime_picture(drawn_run):
    result = explain(drawn_run, {"mine": Surrogate()}, REGIONS)
    assert {entry["lime"] for entry in read_index(result)["images"]} == {None}


def test_pairs_of_superpixels_are_drawn_and_the_picture_goes_with_its_explainer(drawn_run):
    pairs = {"pairs": LeverageShap(60, interactions=True)}
    result = explain(drawn_run, pairs, REGIONS)
    for entry in read_index(result)["images"]:
        assert (result.folder / entry["pairs"]).read_bytes().startswith(b"\x89PNG")
    without = explain(drawn_run, {"edges": Edges()}, REGIONS)
    assert not list(without.folder.glob("*_pairs.png"))
    assert not any("pairs" in entry for entry in read_index(without)["images"])


def test_a_picture_of_explainers_that_were_asked_before_does_not_stay(drawn_run):
    result = explain(drawn_run, {"edges": Edges()}, REGIONS)
    stale = result.folder / f"{result.images[0]}_lime.png"
    stale.touch()
    explain(drawn_run, {"edges": Edges()}, REGIONS, seed=1)
    assert not stale.exists()


def test_an_explainer_that_cannot_run_is_named_and_stops_nothing(run):
    result = explain(run, {"none": Impossible(), "edges": Edges()}, REGIONS)
    assert result.doubts == {"none": "this network has no such layer"}
    assert "warning: none: this network has no such layer" in str(result)
    entry = read_index(result)["images"][0]["explainers"]["none"]
    assert (entry["status"], entry["reason"]) == ("unsupported", "this network has no such layer")


def test_explainers_that_can_all_not_run_are_told_without_a_picture(drawn_run):
    result = explain(drawn_run, {"none": Impossible()}, REGIONS)
    assert result.doubts == {"none": "this network has no such layer"}


def test_an_unknown_part_is_refused_with_those_that_exist(run):
    with pytest.raises(ValueError, match=r"part='dev'.*train, validation, test"):
        explain(run, {"edges": Edges()}, REGIONS, part="dev")


def test_no_image_at_all_is_refused(run):
    with pytest.raises(ValueError, match="images_per_class=0"):
        explain(run, {"edges": Edges()}, REGIONS, images_per_class=0)


def test_short_names_choose_explainers_and_ids_choose_images(drawn_run):
    trained = load_run(drawn_run)
    wanted = [trained.images.records("train")[0].id, trained.images.records("test")[0].id]
    result = explain(drawn_run, "saliency, edges", superpixels=REGIONS, images=", ".join(wanted))
    assert result.images == tuple(wanted)
    assert result.explainers == ("saliency", "edges")
    assert (result.folder / "grid.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"explainers": "salience"}, r"no explainer is called 'salience'; did you mean saliency"),
        ({"explainers": " , "}, r"names no explainer; known: lime, "),
        ({"explainers": "edges", "images": ["nowhere"]}, r"has no such image; near it: "),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(run, arguments, message):
    with pytest.raises(ValueError, match=message):
        explain(run, **arguments)
