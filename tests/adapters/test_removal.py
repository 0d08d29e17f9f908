import pytest
import torch
from torch import nn

from cellxai.adapters.removal import (
    known_truth,
    prepare_region,
    removal_effects,
    render_prepared,
    render_removals,
)
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.synthetic import SceneSettings, compose_scene, cue_map, scene_of
from cellxai.data.synthetic.cues import CUE_KINDS
from cellxai.explain.backward.gradients import InputXGradient, Saliency
from cellxai.explain.base import Attribution, Case, Context
from cellxai.explain.controls import Edges
from cellxai.explain.metrics.base import ModelSource
from cellxai.explain.metrics.truth import RemovalCorrelation, ShortcutContrast
from cellxai.verbs.synthesize import synthesize

TRANSFORMS = Transforms(image_size=(48, 64), clahe=False)
SCENE = compose_scene(0, 2, SceneSettings(96, 128, magnification=3.0, cue="corner tag"))


def darkness(images):
    """Two classes: how dark the image is, and nothing."""
    dark = (0.5 - images).clamp(min=0).sum((1, 2, 3))
    return torch.stack([dark, torch.zeros_like(dark)], 1)


def test_a_removed_cell_is_gone_and_what_lies_far_away_stays():
    removed = render_removals(SCENE, TRANSFORMS, at_most=5)
    whole = render_prepared(SCENE, TRANSFORMS)
    assert removed.images.shape == (5, 3, 48, 64)
    assert set(removed.ids) <= set(SCENE.cells)
    for mask, image in zip(removed.masks, removed.images, strict=True):
        changed = (image != whole).any(0)
        assert changed[mask].float().mean() > 0.5
        assert changed.float().mean() < 0.95
    # Dark bodies: the image without them is brighter where they were.
    assert all(
        (image - whole)[:, m].mean() > 0
        for m, image in zip(removed.masks, removed.images, strict=True)
    )


def test_the_largest_parts_are_taken():
    every, few = (render_removals(SCENE, TRANSFORMS, at_most=n) for n in (1000, 2))
    areas = dict(zip(every.ids, every.masks.sum((1, 2)).tolist(), strict=True))
    assert sorted(areas[part] for part in few.ids) == sorted(areas.values())[-2:]
    processes = render_removals(SCENE, TRANSFORMS, "parts", at_most=1000)
    assert set(every.ids) < set(processes.ids)


def test_effects_are_the_falls_of_the_score():
    removed = render_removals(SCENE, TRANSFORMS, at_most=4)
    whole = render_prepared(SCENE, TRANSFORMS)
    effects = removal_effects(darkness, whole, removed, target=0, batch_size=3)
    for image, effect in zip(removed.images, effects, strict=True):
        expected = darkness(whole[None])[0, 0] - darkness(image[None])[0, 0]
        assert effect.item() == pytest.approx(expected.item(), abs=1e-3)
    assert removal_effects(darkness, whole, removed, target=1).tolist() == [0, 0, 0, 0]


def test_what_is_known_of_an_image_is_what_the_metrics_of_truth_take(tmp_path):
    synthesize(tmp_path, 3, height=96, width=128, magnification=3.0, cue="scale bar")
    known = known_truth(tmp_path, "synthetic-000002", TRANSFORMS, darkness, target=0)
    assert known["cue"].shape == (48, 64)
    truth = {name: value[None] for name, value in known.items()}
    assert RemovalCorrelation().applies_to(truth)
    image = render_prepared(scene_of(tmp_path, "synthetic-000002"), TRANSFORMS)
    context = Context(torch.zeros(1, 48, 64, dtype=torch.long), image[None])
    attribution = Attribution((0.5 - image).clamp(min=0).sum(0)[None])  # what the model sums
    case = Case(darkness, image[None], torch.tensor([0]), context, truth)
    score = RemovalCorrelation().score(case, attribution)
    assert score > 0.8


class Reads(nn.Module):
    """Sums the pixels of a region for class 0, and half of them for class 1."""

    def __init__(self, region):
        super().__init__()
        self.region = nn.Parameter(region.float())

    def forward(self, images):
        read = (images.mean(1) * self.region).sum((1, 2))
        return torch.stack([read, read / 2], 1)


class Held(ModelSource):
    def __init__(self, model):
        self.model = model

    def load(self, device):
        return self.model


@pytest.mark.parametrize("kind", CUE_KINDS)
@pytest.mark.parametrize("explainer", [Saliency(), InputXGradient()])
def test_a_gradient_finds_the_cue_in_the_model_that_reads_it_and_in_no_other(kind, explainer):
    scene = compose_scene(0, 2, SceneSettings(96, 128, magnification=3.0, cue=kind))
    cue = prepare_region(cue_map(scene), TRANSFORMS)
    reads_cue, reads_cells = Reads(cue), Reads(~cue)
    with_cue, without = (render_prepared(x, TRANSFORMS)[None] for x in (scene, scene.without_cue()))
    assert (reads_cue(with_cue) - reads_cue(without))[0, 0] > 1
    images, targets = render_prepared(scene, TRANSFORMS)[None], torch.tensor([0])
    context = Context(torch.zeros(1, 48, 64, dtype=torch.long), torch.zeros_like(images))

    def contrast(how, model, other):
        case = Case(model, images, targets, context, {"cue": cue[None]})
        return ShortcutContrast(Held(other)).score(how, case, case.ask(how)).item()

    assert contrast(explainer, reads_cue, reads_cells) == 1
    assert contrast(explainer, reads_cells, reads_cells) == 0
    assert contrast(explainer, reads_cue, reads_cue) == 0
    assert contrast(Edges(), reads_cue, reads_cells) == 0
