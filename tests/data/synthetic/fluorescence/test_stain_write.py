import hashlib

import numpy as np
import pytest
import tifffile

from cellxai.data.image_formats import ImageFault
from cellxai.data.readers.synthetic_stains import SyntheticStains, read_planes
from cellxai.data.readers.table import Manifest
from cellxai.data.synthetic.fluorescence import (
    CLASSES,
    StainSettings,
    cause_map,
    compose_stains,
    instance_labels,
    render_stains,
)
from cellxai.data.synthetic.fluorescence.write import stain_scene_of
from cellxai.verbs.synthesize import synthesize

SIZE = {"height": 64, "width": 80}
STAINS = ["filaments", "nucleus", "distractor"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthesize(
        tmp_path_factory.mktemp("stains") / "cells", 4, stains=STAINS, cause="nucleus", **SIZE
    ).root


def test_a_folder_is_read_back_with_its_masks_and_causes_by_plane(folder):
    scan = SyntheticStains(folder).scan()
    assert not scan.faults
    assert [record.label for record in scan.records] == [*CLASSES, *CLASSES]
    settings = StainSettings(64, 80, tuple(STAINS), "nucleus")
    for index, record in enumerate(scan.records):
        scene = compose_stains(0, index, settings)
        assert (record.load_image() == render_stains(scene)).all()
        assert (record.load_mask() == instance_labels(scene)).all()
        assert (record.load_cause() == cause_map(scene)).all()
        restored = stain_scene_of(folder, record.id)
        assert (render_stains(restored) == render_stains(scene)).all()


def test_a_table_reads_it_too_and_imagej_knows_axes_and_names(folder):
    assert len(Manifest(folder / "images.csv").scan().records) == 4
    with tifffile.TiffFile(folder / "images" / "stains-000000.tif") as file:
        assert file.series[0].axes == "CYX"
        assert file.imagej_metadata["Labels"] == STAINS


def test_the_same_arguments_give_the_same_bytes_in_any_number_of_processes(folder, tmp_path):
    synthesize(tmp_path, 4, stains=STAINS, cause="nucleus", n_workers=2, **SIZE)
    for path in sorted(folder.rglob("*.*")):
        other = tmp_path / path.relative_to(folder)
        assert hashlib.sha256(path.read_bytes()).digest() == (
            hashlib.sha256(other.read_bytes()).digest()
        ), path


def test_a_complete_folder_is_left_alone_and_never_written_over_by_others(folder):
    again = synthesize(folder, 4, stains=STAINS, cause="nucleus", **SIZE)
    assert "as made before" in str(again)
    with pytest.raises(ValueError, match="made with cause=nucleus, got cause=filaments"):
        synthesize(folder, 4, stains=STAINS, cause="filaments", **SIZE)
    with pytest.raises(ValueError, match="made with"):
        synthesize(folder, 4, **SIZE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stains": STAINS, "cause": "nucleus", "spoiled": True}, "spoiled=True with stains"),
        ({"stains": STAINS, "cause": "nucleus", "cue": "tint"}, "cue=tint with stains"),
        ({"stains": STAINS}, "cause='granules': expected one of the stains that can be"),
        ({"cause": "nucleus"}, "cause='nucleus' needs stains"),
    ],
)
def test_what_does_not_go_together_is_named_and_nothing_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthesize(tmp_path / "none", 4, **arguments, **SIZE)
    assert not (tmp_path / "none").exists()


def test_a_broken_or_another_file_is_named(folder, tmp_path):
    path = tmp_path / "broken.tif"
    path.write_bytes((folder / "images" / "stains-000000.tif").read_bytes()[:300])
    with pytest.raises(ImageFault, match=r"broken\.tif"):
        read_planes(path)
    tifffile.imwrite(path, np.zeros((4, 4), np.uint16))
    with pytest.raises(ImageFault, match="axes YX, expected CYX"):
        read_planes(path)


def test_a_folder_of_other_cells_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="synthesize --stains"):
        SyntheticStains(tmp_path).scan()
    synthesize(tmp_path / "grey", 3, **SIZE)
    with pytest.raises(ValueError, match=r"names no stains.*Sartorius"):
        SyntheticStains(tmp_path / "grey").scan()
    assert stain_scene_of(tmp_path / "grey", "synthetic-000000") is None
