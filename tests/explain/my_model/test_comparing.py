"""``compare``: a store that resumes, and refuses what is not its own."""

import random

import numpy as np
import pytest
import torch
from users_models import cnn

from cellxai.explain import compare
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

METHODS = {"superpixels": Grid(8), "batch_size": 8}


def run(store, images, **settings):
    settings = METHODS | settings
    model = settings.pop("model", None) or cnn()
    return compare(model, images, "saliency, edges", "gini, deletion", store=store, **settings)


def test_a_second_call_computes_what_is_missing_and_a_third_nothing(images, tmp_path):
    def stop(step):
        if step.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, images, tell=stop)
    steps = []
    resumed = run(str(tmp_path), images, tell=steps.append)
    assert [step.total for step in steps] == [2, 2]
    steps.clear()
    again = run(tmp_path / "results.sqlite", images, tell=steps.append)
    assert steps == []
    whole = run(tmp_path / "other", images)
    assert resumed.path == tmp_path / "results.sqlite"
    for measured in (resumed, again):
        assert repr(measured.scores()) == repr(whole.scores())
    assert (tmp_path / "table.csv").is_file()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": cnn(classes=5)}, "model was"),
        ({"mean": 0.5, "std": 0.5}, "model was"),
        ({"preprocess": lambda images: images + 1}, "model was"),
        ({"output": 0}, "model was"),
        ({"superpixels": Grid(4)}, "superpixels was"),
        ({"target": 1}, "image 'image 0' was"),
    ],
)
def test_a_store_refuses_another_model_reading_or_setting(settings, words, images, tmp_path):
    run(tmp_path, images[:1])
    with pytest.raises(ValueError, match=words):
        run(tmp_path, images[:1], **settings)


def test_the_store_is_one_that_the_command_line_reads(images, tmp_path):
    run(tmp_path, images, names=["a", "b", "c"], regions={"cells": torch.ones(3, 16, 16)})
    store = Store(tmp_path / "results.sqlite")
    assert {row.image for row in store.rows()} == {"a", "b", "c"}
    assert store.settings()["control 'edges'"] == "yes"
    assert store.settings()["region 'cells' of image 'a'"]


def test_an_image_that_does_not_fit_fails_as_a_row(images, tmp_path):
    mixed = [images[0], torch.rand(5, 16, 16), images[1]]
    frame = run(tmp_path, mixed).to_frame()
    assert frame.where(explainer="saliency", metric="gini")[0]["n_failed"] == 1
    reason = frame.where(explainer="saliency", metric="gini")[0]["reason"]
    assert "first convolution takes 3 planes and the images have 5" in reason


def test_a_model_that_does_not_fit_at_all_is_told_before_anything_is_written(images, tmp_path):
    with pytest.raises(ValueError, match="target=9 is none of the model's 4 classes"):
        run(tmp_path / "new", images, target=9)
    with pytest.raises(ValueError, match="bfloat16"):
        run(tmp_path / "new", images, model=cnn().bfloat16())
    assert not (tmp_path / "new").exists()


def test_nothing_of_the_caller_changes_also_where_it_is_stopped(images, tmp_path):
    model = cnn().train()
    model[0].weight.requires_grad_(False)
    before = [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    flags = [parameter.requires_grad for parameter in model.parameters()]
    random.seed(0)

    def stop(step):
        raise KeyboardInterrupt

    for tell in (stop, None):
        try:
            run(tmp_path, images, model=model, tell=tell)
        except KeyboardInterrupt:
            assert tell is stop
        assert [module.training for module in model.modules()] == before
        assert [parameter.requires_grad for parameter in model.parameters()] == flags
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
