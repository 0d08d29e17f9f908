import pytest
import torch

from cellxai.adapters.explained_images import choose_subjects
from cellxai.adapters.removal import known_truth, render_prepared
from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import ModelSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.records import Record
from cellxai.data.synthetic import scene_of
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.benchmark.run_images import RunItems, SceneTruth, scene_root
from cellxai.verbs.fit import fit
from cellxai.verbs.synthesize import synthesize


@pytest.fixture(scope="module")
def trained(tiny_run) -> TrainedRun:
    return load_run(tiny_run, "cpu")


@pytest.fixture(scope="module")
def cued(tmp_path_factory) -> TrainedRun:
    """A run of one epoch on large cells beside a corner tag."""
    folder = tmp_path_factory.mktemp("cued")
    synthesize(folder / "cells", 24, 0, 64, 64, magnification=3.0, cue="corner tag")
    fit(
        Sartorius(folder / "cells"),
        folder / "run",
        transforms=Transforms(image_size=(64, 64), clahe=False),
        model=ModelSettings(TimmBackbone("test_efficientnet")),
        training=TrainingSettings(epochs=1, batch_size=8, device="cpu"),
    )
    return load_run(folder / "run", "cpu")


def test_the_images_are_those_that_are_explained_elsewhere(trained):
    items, explained = RunItems(trained, per_class=1), choose_subjects(trained, per_class=1)
    assert [item.id for item in items] == [subject.record.id for subject in explained]
    for item, subject in zip(items, explained, strict=True):
        assert torch.equal(item.image, subject.image[0])
        assert item.target is None  # the predicted one
        assert callable(item.truth)
        known = item.truth(subject.target)
        assert {*known} == {"cells", "cause"}
        assert all(torch.equal(known[name], region) for name, region in subject.truth.items())


def test_truth_of_scenes_is_what_the_renderer_says(cued):
    scenes = SceneTruth("parts", at_most=6)
    for item in RunItems(cued, per_class=1, scenes=scenes):
        assert callable(item.truth)
        known = item.truth(1)
        record = next(record for record in cued.images.records("test") if record.id == item.id)
        root = record.path.parents[1]
        expected = known_truth(
            root, item.id, cued.transforms, cued.classifier, 1, "parts", at_most=6
        )
        assert {*known} == {"cells", "cause", "cue", "parts", "effects"}
        for name, value in expected.items():
            torch.testing.assert_close(known[name], value)
        assert torch.equal(item.image, render_prepared(scene_of(root, item.id), cued.transforms))


def test_effects_are_those_of_the_explained_class_on_the_explained_model(cued):
    (first, *_) = RunItems(cued, scenes=SceneTruth(at_most=4))
    assert callable(first.truth)
    effects = [first.truth(target)["effects"] for target in range(3)]
    assert not torch.equal(effects[0], effects[1])

    def halved(images):
        return cued.classifier(images) / 2

    (other, *_) = RunItems(cued, scenes=SceneTruth(at_most=4), model=halved)
    assert callable(other.truth)
    torch.testing.assert_close(other.truth(0)["effects"], effects[0] / 2)


def test_a_scene_is_rendered_when_its_image_is_explained_and_not_before(cued, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "cellxai.verbs.benchmark.run_images.known_truth",
        lambda *args, **_: asked.append(args) or {},
    )
    items = list(RunItems(cued, scenes=SceneTruth()))
    assert not asked
    assert callable(items[0].truth)
    items[0].truth(0)
    assert len(asked) == 1


def test_scenes_of_images_that_nobody_rendered_are_refused(tmp_path):
    photograph = Record("mine", tmp_path / "astro" / "mine.png", "astro")
    with pytest.raises(ValueError, match=r"not rendered by `cellxai synthesize`.*truth=null"):
        scene_root(photograph)


@pytest.mark.parametrize(
    ("words", "message"), [({"level": "dish"}, "truth.level='dish'"), ({"at_most": 1}, "at_most=1")]
)
def test_a_truth_that_cannot_be_had_is_named(words, message):
    with pytest.raises(ValueError, match=message):
        SceneTruth(**words)
