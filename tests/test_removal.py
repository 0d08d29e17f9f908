import pytest
import torch

from cellxai.data.synthetic import compose_scene, scene_of, synthesize
from cellxai.data.transforms import Transforms
from cellxai.explain.base import Attribution, Context
from cellxai.explain.metrics.truth import RemovalCorrelation
from cellxai.removal import cue_effect, known_truth, removal_effects, removals, seen

TRANSFORMS = Transforms(image_size=(48, 64), clahe=False)
SCENE = compose_scene(0, 2, 96, 128, magnification=3.0, cue="corner tag")


def darkness(images):
    """Two classes: how dark the image is, and nothing."""
    dark = (0.5 - images).clamp(min=0).sum((1, 2, 3))
    return torch.stack([dark, torch.zeros_like(dark)], 1)


def test_a_removed_cell_is_gone_and_what_lies_far_away_stays():
    found = removals(SCENE, TRANSFORMS, at_most=5)
    whole = seen(SCENE, TRANSFORMS)
    assert found.images.shape == (5, 3, 48, 64)
    assert set(found.ids) <= set(SCENE.cells)
    for mask, image in zip(found.masks, found.images, strict=True):
        changed = (image != whole).any(0)
        assert changed[mask].float().mean() > 0.5
        assert changed.float().mean() < 0.95
    # Dark bodies: the image without them is brighter where they were.
    assert all(
        (image - whole)[:, m].mean() > 0 for m, image in zip(found.masks, found.images, strict=True)
    )


def test_the_largest_parts_are_taken():
    every, few = (removals(SCENE, TRANSFORMS, at_most=n) for n in (1000, 2))
    areas = dict(zip(every.ids, every.masks.sum((1, 2)).tolist(), strict=True))
    assert sorted(areas[part] for part in few.ids) == sorted(areas.values())[-2:]
    processes = removals(SCENE, TRANSFORMS, "parts", at_most=1000)
    assert set(every.ids) < set(processes.ids)


def test_effects_are_the_falls_of_the_score():
    found = removals(SCENE, TRANSFORMS, at_most=4)
    whole = seen(SCENE, TRANSFORMS)
    effects = removal_effects(darkness, whole, found, target=0, batch_size=3)
    for image, effect in zip(found.images, effects, strict=True):
        expected = darkness(whole[None])[0, 0] - darkness(image[None])[0, 0]
        assert effect.item() == pytest.approx(expected.item(), abs=1e-3)
    assert removal_effects(darkness, whole, found, target=1).tolist() == [0, 0, 0, 0]


def test_what_is_known_of_an_image_is_what_the_metrics_of_truth_take(tmp_path):
    synthesize(tmp_path, 3, height=96, width=128, magnification=3.0, cue="scale bar")
    found = known_truth(tmp_path, "synthetic-000002", TRANSFORMS, darkness, target=0)
    assert found["cue"].shape == (48, 64)
    truth = {name: value[None] for name, value in found.items()}
    assert RemovalCorrelation().applies_to(truth)
    image = seen(scene_of(tmp_path, "synthetic-000002"), TRANSFORMS)
    context = Context(torch.zeros(1, 48, 64, dtype=torch.long), image[None])
    attribution = Attribution((0.5 - image).clamp(min=0).sum(0)[None])  # what the model sums
    score = RemovalCorrelation().score(
        darkness, image[None], torch.tensor([0]), attribution, context, truth
    )
    assert score > 0.8


def test_whether_a_model_uses_the_cue_is_known():
    def tagged(images):
        return images[:, :, :12, :20].sum((1, 2, 3))[:, None] * torch.tensor([1.0, 0.0])

    assert cue_effect(tagged, SCENE, TRANSFORMS, target=0) > 1
    assert cue_effect(tagged, SCENE, TRANSFORMS, target=1) == 0
    with pytest.raises(ValueError, match="no cue"):
        cue_effect(tagged, SCENE.without_cue(), TRANSFORMS, target=0)
