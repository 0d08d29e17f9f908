import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cellxai.data.masks.rle import encode_rle
from cellxai.data.readers.sartorius import Sartorius
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
from cellxai.data.synthetic.write import label_runs
from cellxai.verbs.synthesize import synthesize

SMALL = SceneSettings(height=96, width=128)
SIZE = {"height": 96, "width": 128}


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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


def test_a_spoiled_image_has_the_same_cells_and_other_pixels():
    good, spoiled = render_image(0, 4, SMALL), render_image(0, 4, replace(SMALL, spoiled=True))
    assert (good.masks == spoiled.masks).all()
    assert (good.cause == spoiled.cause).all()
    assert (good.image != spoiled.image).mean() > 0.5


def test_all_masks_encoded_at_once_equal_the_masks_encoded_one_by_one():
    labels = render_image(0, 0, SMALL).masks
    expected = {int(k): encode_rle(labels == k) for k in np.unique(labels) if k}
    assert label_runs(labels) == expected


def test_a_folder_is_read_back_as_the_sartorius_layout(tmp_path):
    made = synthesize(tmp_path / "cells", n_images=6, **SIZE)
    scan = Sartorius(root=made.root).scan()
    assert not scan.faults
    assert [record.label for record in scan.records] == [*CLASSES, *CLASSES]
    for index, record in enumerate(scan.records):
        rendered = render_image(0, index, SMALL)
        assert (cv2.imread(str(record.path), cv2.IMREAD_UNCHANGED) == rendered.image).all()
        assert ((record.load_mask() > 0) == (rendered.masks > 0)).all()
        assert ((record.load_cause() > 0) == rendered.cause).all()


def test_two_processes_write_the_same_bytes_as_one(tmp_path):
    synthesize(tmp_path / "one", n_images=6, **SIZE)
    synthesize(tmp_path / "two", n_images=6, n_workers=2, **SIZE)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_a_complete_folder_is_left_alone_and_an_interrupted_one_made_anew(tmp_path):
    synthesize(tmp_path, n_images=3, **SIZE)
    first = hashes(tmp_path)
    image = tmp_path / "train" / "synthetic-000001.png"
    written = image.stat().st_mtime_ns
    assert "as made before" in str(synthesize(tmp_path, n_images=3, **SIZE))
    assert image.stat().st_mtime_ns == written

    record = tmp_path / "synthesize.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"complete": False}))
    image.unlink()
    (tmp_path / "train.csv").unlink()
    synthesize(tmp_path, n_images=3, **SIZE)
    assert hashes(tmp_path) == first


def test_other_arguments_never_write_over_a_folder(tmp_path):
    synthesize(tmp_path, n_images=3, **SIZE)
    before = hashes(tmp_path)
    with pytest.raises(ValueError, match=r"made with seed=0, got seed=1.*another folder"):
        synthesize(tmp_path, n_images=3, seed=1, **SIZE)
    assert hashes(tmp_path) == before


def test_a_folder_of_someone_elses_data_is_never_written_to(tmp_path):
    (tmp_path / "train.csv").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        synthesize(tmp_path, n_images=3, **SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    "wrong", [{"n_images": 2}, {"seed": -1}, {"height": 8}, {"width": 63}, {"n_workers": 0}]
)
def test_an_argument_out_of_range_is_named(tmp_path, wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}, expected at least"):
        synthesize(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()
