import shutil

import numpy as np
import pytest
import torch

from cellxai.adapters.explained_images import (
    OUTSIDE,
    choose_subjects,
    find_subjects,
    first_of_each_class,
)
from cellxai.data.records import Record
from cellxai.trained.run import load_run


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load_run(tiny_run, "cpu")


def test_the_first_of_each_class_by_id_are_taken(tmp_path):
    records = tuple(Record(i, tmp_path, label) for i, label in zip("dcba", "xyxx", strict=True))
    assert first_of_each_class(records, 1) == [3, 1]
    assert first_of_each_class(records, 2) == [3, 2, 1]
    assert first_of_each_class(records, None) == [3, 2, 0, 1]


def test_a_subject_is_what_the_network_sees_and_says(trained):
    logits, _ = trained.outputs("test")
    ids = [record.id for record in trained.images.records("test")]
    subjects = choose_subjects(trained)
    assert sorted(subject.record.id for subject in subjects) == sorted(ids)
    for subject in subjects:
        row = logits[ids.index(subject.record.id)]
        assert subject.part == "test"
        assert subject.target == int(row.argmax())
        assert subject.probability == pytest.approx(float(row.softmax(-1).max()))
        with torch.inference_mode():
            torch.testing.assert_close(trained.classifier(subject.image)[0], row)


def test_truth_is_the_masks_of_cells_and_cause_in_the_geometry_of_the_image(trained):
    for subject in choose_subjects(trained, "validation", per_class=1):
        record = subject.record
        for name, load in (("cells", record.load_mask), ("cause", record.load_cause)):
            assert load is not None
            expected = trained.transforms.prepare_mask(load()) != 0
            np.testing.assert_array_equal(subject.truth[name], expected)
            assert subject.truth[name].shape == subject.image.shape[-2:]
            assert subject.truth[name].any()


def test_so_many_of_each_class(trained):
    subjects = choose_subjects(trained, "train", per_class=2)
    assert [subject.record.label for subject in subjects] == sorted(trained.classes * 2)


def test_a_part_or_number_that_gives_nothing_is_refused(trained):
    with pytest.raises(ValueError, match=r"part='tset': no image .*expected one of train, val"):
        choose_subjects(trained, "tset")
    with pytest.raises(ValueError, match="images_per_class=0: expected at least 1"):
        choose_subjects(trained, per_class=0)


def test_names_are_ids_files_folders_and_patterns_each_image_once(trained, tmp_path):
    own = trained.images.records("train")[0]
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(own.path, tmp_path / "photos" / name)
    names = [own.id, str(own.path), str(tmp_path / "photos/b.png"), str(tmp_path / "photos/*.png")]
    subjects, faults = find_subjects(trained, names)
    assert [subject.record.id for subject in subjects] == [own.id, "photos__b", "photos__a"]
    assert [subject.part for subject in subjects] == ["train", OUTSIDE, OUTSIDE]
    assert faults == ()
    same, stranger, _ = subjects
    assert torch.equal(same.image, stranger.image)
    assert same.target == stranger.target
    assert same.probability == pytest.approx(stranger.probability, abs=1e-5)
    assert stranger.record.label == ""
    assert stranger.truth == {}


def test_broken_files_are_reported_and_the_rest_is_kept(trained, tmp_path):
    own = trained.images.records("test")[0]
    shutil.copy(own.path, tmp_path / "sound.png")
    (tmp_path / "cut.png").write_bytes(own.path.read_bytes()[:200])
    (tmp_path / "note.txt").write_text("no image")
    subjects, faults = find_subjects(trained, [str(tmp_path / "*.png"), str(tmp_path / "note.txt")])
    assert [subject.record.path.name for subject in subjects] == ["sound.png"]
    assert sorted(str(fault).rsplit("/", 1)[-1].split(":")[0] for fault in faults) == [
        "cut.png", "note.txt",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="none of 1 images can be read"):
        find_subjects(trained, [str(tmp_path / "note.txt")])


def test_names_that_name_nothing_are_refused_in_one_line(trained):
    with pytest.raises(ValueError, match=r"^images=\[\] names none; pass ids of the run.*\Z"):
        find_subjects(trained, [])
    known = trained.images.records("test")[0].id
    with pytest.raises(ValueError, match=rf"no such file, and .* near it: .*{known}"):
        find_subjects(trained, [known + "x"])
