from dataclasses import replace

import cv2
import numpy as np
import pytest

from cellxai.data.synthetic import (
    CLASSES,
    REACH_PX,
    SceneSettings,
    cause_map,
    compose_scene,
    instance_labels,
    render,
    render_image,
)

SMALL = SceneSettings(height=96, width=128)


def far_from(scene, part_ids, reach):
    """True where no pixel of these parts is nearer than ``reach``."""
    drawn = np.zeros((scene.height, scene.width), np.uint8)
    for part in scene.parts:
        if part.id in part_ids:
            for shape in part.shapes:
                cv2.fillPoly(drawn, [shape.outline], 1, cv2.LINE_8, 4)
    return cv2.distanceTransform(1 - drawn, cv2.DIST_L2, 5) > reach


def test_an_image_depends_on_nothing_but_its_seed_and_index():
    one, again = render_image(3, 5, SMALL), render_image(3, 5, SMALL)
    assert (one.image == again.image).all()
    assert (one.masks == again.masks).all()
    assert (one.image != render_image(4, 5, SMALL).image).any()
    assert (one.image != render_image(3, 8, SMALL).image).any()


def test_classes_take_turns():
    labels = [render_image(0, index, SMALL).label for index in range(6)]
    assert labels == [*CLASSES, *CLASSES]


@pytest.mark.parametrize("index", range(6))
def test_the_mean_grey_is_that_of_the_real_images(index):
    assert render_image(1, index).image.mean() == pytest.approx(128, abs=0.25)


@pytest.mark.parametrize("index", range(3))
def test_removing_a_cell_changes_its_pixels_and_no_distant_one(index):
    scene = compose_scene(0, index)
    cell = scene.cells[len(scene.cells) // 2]
    removed = {part.id for part in scene.parts if part.cell == cell}
    changed = render(scene) != render(scene.without(cell))
    assert changed[instance_labels(scene) == cell].mean() > 0.5
    assert not changed[far_from(scene, removed, REACH_PX)].any()


def test_removing_debris_leaves_masks_and_cause_as_they_were():
    scene = compose_scene(0, 2, SMALL)
    debris = [part.id for part in scene.parts if part.kind == "debris"]
    clean = scene.without(*debris)
    assert (render(clean) != render(scene)).any()
    assert (instance_labels(clean) == instance_labels(scene)).all()
    assert (cause_map(clean) == cause_map(scene)).all()


def test_without_its_cells_a_scene_has_no_cause():
    scene = compose_scene(0, 0, SMALL)
    empty = scene.without(*scene.cells)
    assert not cause_map(empty).any()
    assert {part.kind for part in empty.parts} == {"debris"}


@pytest.mark.parametrize("index", range(3))
def test_the_cause_holds_every_cell_and_no_more_than_the_class_needs(index):
    rendered = render_image(0, index)
    assert rendered.cause[rendered.masks > 0].all()
    # Neurites are what annotators leave out of the masks and what yet only cort has.
    assert (rendered.cause & (rendered.masks == 0)).any() == (rendered.label == "cort")


def test_a_spoiled_image_has_the_same_cells_and_other_pixels():
    good, spoiled = render_image(0, 4, SMALL), render_image(0, 4, replace(SMALL, spoiled=True))
    assert (good.masks == spoiled.masks).all()
    assert (good.cause == spoiled.cause).all()
    assert (good.image != spoiled.image).mean() > 0.5
