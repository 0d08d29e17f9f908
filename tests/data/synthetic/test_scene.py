import cv2
import numpy as np
import pytest

from cellxai.data.synthetic import (
    SceneSettings,
    compose_scene,
)

SMALL = SceneSettings(height=96, width=128)


def test_a_cell_takes_its_processes_with_it():
    scene = compose_scene(0, 1, SMALL)
    cell = scene.cells[0]
    kept = scene.without(cell).parts
    assert {part.id for part in scene.parts if part.cell == cell} > {cell}
    assert all(part.cell != cell for part in kept)


def test_a_process_can_go_alone():
    scene = compose_scene(0, 1, SMALL)
    process = next(part for part in scene.parts if part.kind == "process")
    kept = scene.without(process.id).parts
    assert len(kept) == len(scene.parts) - 1
    assert process.cell in {part.id for part in kept}


def test_removing_what_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="part 99999 is not in scene 1"):
        compose_scene(0, 1, SMALL).without(99999)


def test_classes_look_as_the_source_notebook_says():
    shsy5y, astro, cort = (compose_scene(0, index) for index in range(3))
    n = {scene.label: len(scene.cells) for scene in (shsy5y, astro, cort)}
    assert n["shsy5y"] > 5 * n["cort"] > 5 * n["astro"]
    areas = {scene.label: body_areas(scene) for scene in (shsy5y, astro, cort)}
    assert np.median(areas["cort"]) > 1.5 * np.median(areas["shsy5y"])
    assert longest_process(astro) > 1.5 * longest_process(shsy5y)


def body_areas(scene):
    # The second shape of a body is its cytoplasm; the first is the light around it.
    bodies = [part.shapes[1].outline for part in scene.parts if part.kind == "body"]
    return [cv2.contourArea(outline) / 16**2 for outline in bodies]


def longest_process(scene):
    outlines = [part.shapes[0].outline for part in scene.parts if part.kind == "process"]
    return max(cv2.arcLength(outline, True) / 2 / 16 for outline in outlines)


def test_debris_and_optics_say_nothing_about_the_class():
    """The streams of debris and optics never see the label."""
    images = 60
    scenes = [compose_scene(7, index, SMALL) for index in range(images)]
    counts = np.array([sum(part.kind == "debris" for part in scene.parts) for scene in scenes])
    contrast = np.array([scene.optics.contrast for scene in scenes])
    for values in (counts, contrast):
        means = values.reshape(-1, 3).mean(0)
        standard_error = values.std() / np.sqrt(images / 3)
        assert np.ptp(means) < 4 * standard_error


def test_cells_scale_with_the_frame():
    small, large = (
        compose_scene(0, 0, SceneSettings(130, 176)),
        compose_scene(0, 0),
    )
    ratio = np.median(body_areas(small)) / np.median(body_areas(large))
    assert ratio == pytest.approx(1 / 16, rel=0.05)


def test_thin_processes_do_not_gain_weight_in_small_frames():
    """Drawn area times thickness, in units of the frame, which the pen's width would inflate."""
    small, large = (
        compose_scene(0, 2, SceneSettings(130, 176)),
        compose_scene(0, 2),
    )
    assert weight_of_processes(small) == pytest.approx(weight_of_processes(large), rel=0.15)


def weight_of_processes(scene):
    canvas = np.zeros((scene.height, scene.width))
    for part in scene.parts:
        if part.kind == "neurite":
            one = np.zeros((scene.height, scene.width), np.uint8)
            for shape in part.shapes:
                cv2.fillPoly(one, [shape.outline], shape.thickness, cv2.LINE_AA, 4)
            canvas += one
    return canvas.mean()
