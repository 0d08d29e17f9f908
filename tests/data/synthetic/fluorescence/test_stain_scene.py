"""Scenes of stained cells: the label is in one plane, and in no other."""

import numpy as np
import pytest

from cellxai.data.synthetic.fluorescence import (
    CAUSAL_STAINS,
    CLASSES,
    STAINS,
    StainSettings,
    compose_stains,
    render_stains,
)
from cellxai.data.synthetic.fluorescence.scene import check_stains

SMALL = StainSettings(height=96, width=112)


@pytest.mark.parametrize("cause", CAUSAL_STAINS)
def test_the_other_class_of_a_scene_differs_in_the_causing_plane_alone(cause):
    """So nothing that lacks that plane can tell the classes apart, by any rule whatever."""
    settings = StainSettings(height=96, width=112, cause=cause)
    for index in range(3):
        control, treated = (
            render_stains(compose_stains(5, index, settings, label)) for label in CLASSES
        )
        differs = (control != treated).any((0, 1))
        assert differs.tolist() == [stain == cause for stain in STAINS]


@pytest.mark.parametrize("cause", CAUSAL_STAINS)
def test_both_arrangements_send_the_same_light(cause):
    """The brightness of a plane, of the causing one too, is no cue."""
    settings = StainSettings(height=96, width=96, cause=cause)
    light = np.array(
        [
            [photons_of(compose_stains(1, index, settings, label)) for label in CLASSES]
            for index in range(4)
        ]
    )
    control, treated = light.sum(0)
    assert control == pytest.approx(treated, rel=0.08)


def photons_of(scene):
    parts = [part for part in scene.parts if part.plane == scene.cause_plane]
    return sum(part.points[:, 2].sum() for part in parts)


def test_classes_take_turns_and_other_planes_toss_a_coin():
    settings = StainSettings(height=96, width=96, stains=("nucleus", "granules"))
    scenes = [compose_stains(0, index, settings) for index in range(24)]
    assert [scene.label for scene in scenes] == [*CLASSES] * 12
    spread = [spread_of_nuclei(scene) for scene in scenes]
    whole = [value < 0.45 for value in spread]  # else in fragments
    for label in CLASSES:
        own = [is_whole for is_whole, scene in zip(whole, scenes, strict=True)
               if scene.label == label]  # fmt: skip
        assert 2 <= sum(own) <= 10


def spread_of_nuclei(scene):
    """Mean distance of the nuclear stain from the centre of its cell, in radii."""
    cells = {cell.id: cell for cell in scene.cells}
    away = [
        np.linalg.norm(part.points[:, :2] - cells[part.cell].centre, axis=1).mean()
        / cells[part.cell].radius
        for part in scene.parts
        if part.plane == 0
    ]
    return np.mean(away)


def test_a_stain_that_is_left_out_leaves_the_others_bit_for_bit():
    all_planes = render_stains(compose_stains(2, 1, SMALL))
    few = StainSettings(height=96, width=112, stains=("granules", "nucleus"))
    pair = render_stains(compose_stains(2, 1, few))
    assert (pair[..., 0] == all_planes[..., 2]).all()
    assert (pair[..., 1] == all_planes[..., 0]).all()


def test_cells_touch_at_most_and_fill_half_the_frame():
    for index in range(4):
        cells = compose_stains(3, index, SMALL).cells
        centres = np.array([cell.centre for cell in cells])
        apart = np.linalg.norm(centres[:, None] - centres, axis=-1) + 1e9 * np.eye(len(cells))
        radius = np.mean([cell.radius for cell in cells])
        assert apart.min() > 1.5 * radius
        assert 5 <= len(cells) <= 16
    larger = StainSettings(height=96, width=112, magnification=2.0)
    assert len(compose_stains(3, 0, larger).cells) < len(compose_stains(3, 0, SMALL).cells)


def test_a_part_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="part 9999 is not in scene 0"):
        compose_stains(0, 0, SMALL).without(9999)


@pytest.mark.parametrize(
    ("stains", "cause", "message"),
    [
        (("nucleus",), "nucleus", "expected 2 to 5 different ones"),
        (("nucleus", "nucleus"), "nucleus", "expected 2 to 5 different ones"),
        (("nucleus", "blue"), "nucleus", "'blue' is none of nucleus"),
        (("nucleus", "distractor"), "distractor", r"cause='distractor'.*\['nucleus'\]"),
        (("nucleus", "membrane"), "granules", "cause='granules'"),
    ],
)
def test_stains_that_do_not_go_together_are_named(stains, cause, message):
    with pytest.raises(ValueError, match=message):
        check_stains(stains, cause)
