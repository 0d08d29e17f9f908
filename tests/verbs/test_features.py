import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from cellxai.data.pixels.corruptions import Corrupted, Darken
from cellxai.data.readers.folder import ImageFolder
from cellxai.trained import image_stream as imagestream
from cellxai.trained.feature_file import read_features
from cellxai.trained.run import load_run
from cellxai.verbs.features import features
from gmm.files.matrices import read_matrix

LAYER = "backbone.blocks.1"


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("features") / "run"))


@pytest.fixture
def others(run, tmp_path) -> ImageFolder:
    """Seven images of two classes, copied from the run's own."""
    files = sorted(path.path for path in load_run(run).images.all_records)[:7]
    for number, path in enumerate(files):
        target = tmp_path / "others" / "ab"[number % 2] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return ImageFolder(tmp_path / "others")


def test_the_runs_own_features_are_those_of_its_parts_with_ids_labels_and_splits(run):
    made = features(run)
    found, trained = read_features(made.path), load_run(run)
    assert made.path == run / "features" / "penultimate.safetensors"
    for part in trained.parts:
        records = trained.images.records(part)
        rows = [found.ids.index(record.id) for record in records]
        torch.testing.assert_close(torch.tensor(found.values[rows]), trained.outputs(part)[1])
        assert {found.splits[row] for row in rows} == {part}
        assert [found.labels[row] for row in rows] == [record.label for record in records]
    assert len(found.ids) == sum(len(trained.images.records(part)) for part in trained.parts)


def test_the_file_is_plain_safetensors_that_gmm_reads_as_a_matrix(run):
    path = features(run).path
    found = read_features(path)
    np.testing.assert_array_equal(load_file(path)["features"], found.values)
    np.testing.assert_array_equal(read_matrix(path), found.values)


def test_places_are_kept_when_asked_for(run):
    pooled, spatial = features(run, layer=LAYER), features(run, layer=LAYER, pooled=False)
    assert spatial.path.name == f"{LAYER}-spatial.safetensors"
    places = read_features(spatial.path).values
    assert places.ndim == 4
    np.testing.assert_allclose(
        read_features(pooled.path).values, places.mean((2, 3)), rtol=1e-4, atol=1e-5
    )


def test_other_images_have_labels_and_no_split(run, others):
    found = read_features(features(run, others).path)
    assert set(found.labels) == {"a", "b"}
    assert set(found.splits) == {""}
    own = read_features(features(run).path)
    for name, row in zip(found.ids, found.values, strict=True):
        known = own.ids.index(name.split("__")[1])
        np.testing.assert_allclose(row, own.values[known], rtol=1e-4, atol=1e-5)


def test_data_sets_and_their_corruptions_get_files_of_their_own(run, others):
    paths = {features(run).path, features(run, others).path}
    paths.add(features(run, Corrupted(others, Darken(5))).path)
    assert len(paths) == 3


def test_a_second_call_reads_what_the_first_wrote(run, others, monkeypatch):
    first = features(run, others)
    monkeypatch.setattr("cellxai.verbs.features.stream_outputs", None)
    again = features(run, others)
    assert (first.reused, again.reused) == (False, True)
    assert "as computed before" in str(again)
    assert again.shape == first.shape


def test_a_changed_image_is_computed_again(run, others):
    first = features(run, others)
    before = read_features(first.path).values.copy()
    record = others.scan().records[0]
    shutil.copy(others.scan().records[1].path, record.path)
    again = features(run, others)
    assert not again.reused
    assert (read_features(again.path).values[0] != before[0]).any()


def test_broken_images_are_told_and_have_no_row_then_and_later(run, others):
    broken = others.scan().records[2]
    broken.path.write_bytes(b"broken")
    made = features(run, others)
    found = read_features(made.path)
    assert made.shape[0] == 6
    assert found.broken == (broken.id,)
    assert broken.id not in found.ids
    assert str(broken.path) in str(made)
    assert broken.id in str(features(run, others))


def test_without_a_readable_image_there_is_no_file(run, others):
    for record in others.scan().records:
        record.path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="none of 7 images can be read"):
        features(run, others)


def test_chunks_change_nothing(run, others, tmp_path, monkeypatch):
    whole = features(run, others, out=tmp_path / "whole.safetensors")
    monkeypatch.setattr(imagestream, "MOST_IMAGES", 3)
    chunked = features(run, others, out=tmp_path / "chunked.safetensors")
    a, b = read_features(whole.path), read_features(chunked.path)
    assert a.ids == b.ids
    np.testing.assert_allclose(a.values, b.values, rtol=1e-5, atol=1e-6)


def test_another_file_is_not_written_over(run, others, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"out=.*mine\.safetensors"):
        features(run, others, out=tmp_path / "mine.safetensors")
