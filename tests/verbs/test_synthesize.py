import hashlib
import json
from pathlib import Path

import cv2
import pytest

from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.synthetic import (
    CLASSES,
    SceneSettings,
    render_image,
)
from cellxai.verbs.synthesize import synthesize

SIZE = {"height": 96, "width": 128}


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_is_read_back_as_the_sartorius_layout(tmp_path):
    made = synthesize(tmp_path / "cells", n_images=6, **SIZE)
    scan = Sartorius(root=made.root).scan()
    assert not scan.faults
    assert [record.label for record in scan.records] == [*CLASSES, *CLASSES]
    for index, record in enumerate(scan.records):
        rendered = render_image(0, index, SceneSettings(**SIZE))
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
