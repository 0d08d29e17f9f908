"""How stained cells are seen, and what is left when a part of them is taken out."""

import numpy as np
import pytest

from cellxai.data.synthetic.fluorescence import (
    StainSettings,
    cause_map,
    compose_stains,
    instance_labels,
    part_region,
    render_stains,
)
from cellxai.data.synthetic.fluorescence.render import (
    FULL_SCALE,
    HAZE_PX,
    LEVELS_PER_PHOTON,
    OFFSET,
    REACH,
    READ_NOISE,
    emission,
    lamp,
)

SMALL = StainSettings(height=96, width=96)


@pytest.fixture(scope="module")
def scene():
    return compose_stains(0, 1, SMALL)


def test_light_adds_up_and_none_is_lost_inside_the_frame():
    points = np.array([[10.25, 7.5, 100.0], [3.0, 3.0, 8.0], [14.75, 14.1, 1.0]])
    light = emission([points[:1], points[1:]], (16, 16))
    assert light.sum() == pytest.approx(109)
    assert light[7, 10] == pytest.approx(37.5)
    assert light[8, 11] == pytest.approx(12.5)
    assert light[3, 3] == pytest.approx(8)
    outside = emission([np.array([[-5.0, 2, 9], [15.5, 2, 4]])], (16, 16))
    assert outside.sum() == pytest.approx(2)
    assert emission([], (4, 4)).sum() == 0


def test_shot_noise_has_the_variance_of_the_mean():
    """Of frames without structure, whose mean in photons is that of the background and the lamp."""
    settings = StainSettings(height=96, width=96, stains=("nucleus", "granules"))
    deviations = []
    for index in range(6):
        whole = compose_stains(9, index, settings)
        empty = whole.without(*(part.id for part in whole.parts))
        photons = [exposure.background * lamp((96, 96)) for exposure in whole.exposures]
        mean = np.stack(photons, -1)
        variance = LEVELS_PER_PHOTON**2 * mean + READ_NOISE**2
        away = render_stains(empty) - OFFSET - LEVELS_PER_PHOTON * mean
        deviations.append(away / np.sqrt(variance))
    assert np.mean(deviations) == pytest.approx(0, abs=0.02)
    assert np.var(deviations) == pytest.approx(1, rel=0.02)


def test_pixels_are_of_a_12_bit_camera_and_hardly_any_is_saturated(scene):
    image = render_stains(scene)
    assert image.dtype == np.uint16
    assert image.max() <= FULL_SCALE
    assert (image == FULL_SCALE).mean() < 0.001
    assert image.min() >= 0


def test_a_part_that_is_taken_out_leaves_all_other_planes_and_far_pixels_as_they_were(scene):
    image = render_stains(scene)
    part = next(part for part in scene.parts if part.plane == 2 and part.cell == 3)
    without = render_stains(scene.without(part.id))
    assert (image[..., [0, 1, 3, 4]] == without[..., [0, 1, 3, 4]]).all()
    changed = image[..., 2] != without[..., 2]
    y, x = np.nonzero(changed)
    reach = REACH * HAZE_PX * 96 + 2
    points = part.points[:, :2]
    away = np.linalg.norm(np.stack([x, y], -1)[:, None] - points, axis=-1).min(1)
    assert len(y)
    assert away.max() <= reach * np.sqrt(2)
    region = part_region(scene, part.id)
    darker = image[..., 2].astype(int) - without[..., 2]
    assert darker[region].mean() > 20 * abs(darker[~region].mean())


def test_a_cell_takes_its_structures_in_all_planes_with_it(scene):
    ids = scene.parts_of_cell(2)
    assert len(ids) == 5
    left = scene.without(*ids)
    assert all(part.cell != 2 for part in left.parts)
    assert len(left.parts) == len(scene.parts) - 5


def test_the_cause_lies_in_its_plane_alone_where_its_structures_are(scene):
    cause = cause_map(scene)
    assert cause.any((0, 1)).tolist() == [stain == "granules" for stain in scene.stains]
    inside = instance_labels(scene) > 0
    assert cause[..., 2][~inside].mean() < 0.02
    assert 0.02 < cause[..., 2].mean() < 0.5
    image = render_stains(scene)[..., 2]
    assert image[cause[..., 2]].mean() > 2 * image[~cause[..., 2]].mean()


def test_every_cell_that_is_seen_has_its_number(scene):
    labels = instance_labels(scene)
    assert {*np.unique(labels)} == {0, *(cell.id for cell in scene.cells)}


def test_the_lamp_is_brightest_in_the_middle():
    light = lamp((9, 11))
    assert light.argmax() == 4 * 11 + 5
    assert light[0, 0] == pytest.approx(0.75)
