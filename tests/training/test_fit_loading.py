from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cellxai.data import record_pixels
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import RunFolder, read_csv, read_json
from cellxai.trained.run import load_run
from cellxai.verbs.fit import fit

TENSOR = LoadingSettings(pipeline="tensor")


def last(run) -> dict[str, torch.Tensor]:
    path = RunFolder(run).checkpoints / "last.ckpt"
    return torch.load(path, weights_only=True)["state_dict"]


def same(one, other) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_cache_changes_no_weight_and_leaves_nothing_to_decode(settings, tmp_path, monkeypatch):
    cached = LoadingSettings(cache=tmp_path / "cache")
    plain = fit(run=tmp_path / "plain", **settings(epochs=2)).run
    first = fit(run=tmp_path / "first", loading=cached, **settings(epochs=2)).run
    monkeypatch.setattr(record_pixels, "read_pixels", None)
    second = fit(run=tmp_path / "second", loading=cached, **settings(epochs=2)).run
    assert same(last(first), last(plain))
    assert same(last(second), last(plain))
    assert load_run(second, "cpu").outputs("test")[0].isfinite().all()


def test_the_tensor_pipeline_repeats_itself_to_the_last_bit(settings, tmp_path):
    runs = [fit(run=tmp_path / name, loading=TENSOR, **settings(epochs=2)).run for name in "ab"]
    assert same(last(runs[0]), last(runs[1]))
    plain = fit(run=tmp_path / "plain", **settings(epochs=2)).run
    assert not same(last(runs[0]), last(plain))


def test_without_augmentation_both_pipelines_train_the_same_weights(settings, tmp_path):
    options = settings(epochs=2)
    options["transforms"] = replace(
        options["transforms"], horizontal_flip=0.0, vertical_flip=0.0, brightness=0.0
    )
    one = fit(run=tmp_path / "one", **options).run
    other = fit(run=tmp_path / "other", loading=TENSOR, **options).run
    assert same(last(one), last(other))


def test_a_run_goes_on_with_another_cache_but_not_with_another_pipeline(settings, tmp_path):
    fit(run=tmp_path / "run", **settings(epochs=1))
    elsewhere = LoadingSettings(cache=tmp_path / "cache")
    assert fit(run=tmp_path / "run", loading=elsewhere, **settings(epochs=1)).epochs == 1
    with pytest.raises(ValueError, match=r"loading\.pipeline='albumentations', got 'tensor'"):
        fit(run=tmp_path / "run", loading=TENSOR, **settings(epochs=1))


def test_a_fold_is_tested_and_the_others_train(settings, tmp_path):
    tested = []
    for fold in range(3):
        split = SplitSettings(validation_share=0.0, n_folds=3, fold=fold)
        run = fit(run=tmp_path / f"{fold}", split=split, **settings(epochs=1)).run
        rows = read_csv(RunFolder(run).split)
        tested += [row["id"] for row in rows if row["part"] == "test"]
        assert len(load_run(run, "cpu").images.records("test")) == 8
    assert len(tested) == len(set(tested)) == 24


def test_a_rare_class_is_left_out_and_told_in_the_run_folder(settings, cells, tmp_path):
    (cells / "single").mkdir()
    Image.fromarray(np.zeros((32, 32), dtype=np.uint8)).save(cells / "single" / "0.png")
    with pytest.raises(ValueError, match=r"'single' has too few images: 1.*rare_classes=leave_out"):
        fit(run=tmp_path / "refused", **settings(epochs=1))
    split = SplitSettings(rare_classes="leave_out")
    run = fit(run=tmp_path / "run", split=split, **settings(epochs=1)).run
    faults = read_json(RunFolder(run).environment)["data"]["faults"]
    assert any("class single" in str(fault) for fault in faults)
    assert load_run(run, "cpu").classes == ("bright", "dark")


def test_16_bit_images_train_like_their_8_bit_selves(settings, cells, tmp_path):
    options = settings(epochs=1)
    options["transforms"] = replace(options["transforms"], sixteen_bit="full")
    plain = fit(run=tmp_path / "plain", **options).run
    for path in cells.glob("*/*.png"):
        Image.fromarray(np.array(Image.open(path)).astype(np.uint16) * 257).save(path)
    deep = fit(run=tmp_path / "deep", **options).run
    assert same(last(plain), last(deep))
