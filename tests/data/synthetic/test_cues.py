from dataclasses import replace

import cv2
import numpy as np
import pytest

from cellxai.data.synthetic import (
    CLASSES,
    SceneSettings,
    compose_scene,
    cue_map,
    part_region,
    render,
    render_image,
    scene_of,
)
from cellxai.data.synthetic.cues import CUE_KINDS, Cue, cue_region
from cellxai.data.synthetic.scene import choose_cue
from cellxai.verbs.synthesize import synthesize

SMALL = SceneSettings(height=96, width=128)


@pytest.mark.parametrize("kind", CUE_KINDS)
def test_a_cue_changes_its_own_pixels_and_no_others(kind):
    scene = compose_scene(0, 1, replace(SMALL, cue=kind))
    changed = render(scene) != render(scene.without_cue())
    assert changed[cue_map(scene)].mean() > 0.95
    if kind != "tint":  # which fades out
        assert not changed[~cue_map(scene)].any()


@pytest.mark.parametrize("kind", CUE_KINDS)
def test_without_its_cue_a_scene_is_the_scene_that_never_had_one(kind):
    planted = compose_scene(0, 1, replace(SMALL, cue=kind)).without_cue()
    assert (render(planted) == render(compose_scene(0, 1, SMALL))).all()
    assert cue_map(planted) is None


@pytest.mark.parametrize("kind", CUE_KINDS)
def test_every_class_has_a_cue_of_its_own(kind):
    regions = [cue_region(Cue(kind, number), 96, 128) for number in range(3)]
    assert all(0 < region.mean() < 0.3 for region in regions)
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert (regions[a] != regions[b]).any()


@pytest.mark.parametrize("agreement", [0.0, 1 / 3, 1.0])
def test_the_cue_tells_the_class_as_often_as_it_is_told_to(agreement):
    rng = np.random.default_rng(0)
    cues = [choose_cue(rng, "tint", CLASSES[1], agreement).number for _ in range(3000)]
    shares = np.bincount(cues, minlength=3) / 3000
    others = (1 - agreement) / 2
    assert shares.tolist() == pytest.approx([others, agreement, others], abs=0.03)


def test_a_cue_that_agrees_tells_the_class_of_every_scene():
    for index in range(6):
        scene = compose_scene(0, index, SceneSettings(64, 64, cue="scale bar"))
        assert CLASSES[scene.cue.number] == scene.label


def test_masks_and_cause_do_not_know_the_cue():
    plain, cued = render_image(0, 2, SMALL), render_image(0, 2, replace(SMALL, cue="corner tag"))
    assert (plain.masks == cued.masks).all()
    assert (plain.cause == cued.cause).all()
    assert plain.cue is None
    assert cued.cue is not None


def test_the_region_of_a_cell_is_its_matter_with_its_processes():
    scene = compose_scene(0, 2, SMALL)
    cell = scene.cells[0]
    process = next(p.id for p in scene.parts if p.cell == cell and p.id != cell)
    whole, alone = part_region(scene, cell), part_region(scene, process)
    assert alone.any()
    assert (whole | alone == whole).all()
    assert whole.sum() > alone.sum()
    assert not part_region(scene.without(cell), cell).any()


def test_an_image_of_a_folder_is_rendered_again_from_its_scene(tmp_path):
    synthesize(tmp_path, 6, 4, 64, 80, cue="corner tag", cue_agreement=0.5)
    for index in (0, 5):
        image_id = f"synthetic-{index:06d}"
        scene = scene_of(tmp_path, image_id)
        stored = cv2.imread(str(tmp_path / "train" / f"{image_id}.png"), cv2.IMREAD_GRAYSCALE)
        assert (render(scene) == stored).all()
        cue = cv2.imread(str(tmp_path / "cues" / f"{image_id}.png"), cv2.IMREAD_GRAYSCALE)
        assert ((cue > 0) == cue_map(scene)).all()


def test_a_folder_without_cues_is_the_one_that_was_made_before_there_were_any(tmp_path):
    synthesize(tmp_path, 3, 4, 64, 80)
    assert not (tmp_path / "cues").exists()
    assert scene_of(tmp_path, "synthetic-000001").cue is None
    assert synthesize(tmp_path, 3, 4, 64, 80).seconds == 0
    with pytest.raises(ValueError, match="cue="):
        synthesize(tmp_path, 3, 4, 64, 80, cue="tint")


def test_a_scene_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="synthesize"):
        scene_of(tmp_path, "synthetic-000000")
    synthesize(tmp_path / "cells", 3, 0, 64, 64)
    for image_id in ("synthetic-000003", "real-7"):
        with pytest.raises(ValueError, match=image_id):
            scene_of(tmp_path / "cells", image_id)


def test_an_agreement_that_is_no_probability_is_named(tmp_path):
    with pytest.raises(ValueError, match="cue_agreement"):
        synthesize(tmp_path, cue="tint", cue_agreement=1.5)
