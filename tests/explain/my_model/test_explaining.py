"""``explain``: any model, any images, and what it says where they do not fit."""

import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
import torch
from captum import attr
from torch import nn
from users_models import Answering, cnn

from cellxai.explain import explain
from cellxai.explain.backward import IntegratedGradients, Saliency
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.lime import Lime
from cellxai.explain.superpixels.methods import Grid

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
BLACK = {"baseline": ConstantBaseline(0.0), "superpixels": Grid(8)}


class Failing(Explainer):
    """Stops where the first pixel is white."""

    def attribute(self, model, images, targets, context):
        if (images[:, 0, 0, 0] == 1).any():
            raise RuntimeError("a white pixel\nupsets me")
        return Attribution(images[:, 0])


def normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (images - mean) / std


def test_integrated_gradients_are_those_of_captum(images):
    model = cnn().eval()
    result = explain(model, images, IntegratedGradients(8), target=2, **BLACK)
    captums = attr.IntegratedGradients(model).attribute(
        images, torch.zeros_like(images), 2, n_steps=8
    )
    assert torch.allclose(result.maps["IntegratedGradients"], captums.sum(1).float(), atol=1e-6)


def test_what_is_normalised_by_us_by_the_caller_or_by_a_function_is_the_same(images):
    model = cnn().eval()
    ways = [
        explain(model, images, "lime, saliency", mean=MEAN, std=STD, **BLACK),
        explain(model, images, "lime, saliency", preprocess=normalised, **BLACK),
        explain(nn.Sequential(Affine(), model), images, "lime, saliency", **BLACK),
    ]
    bounds = (
        normalised(torch.zeros(1, 3, 1, 1)).flatten().tolist(),
        normalised(torch.ones(1, 3, 1, 1)).flatten().tolist(),
    )
    ways.append(explain(model, normalised(images), "lime, saliency", bounds=bounds, **BLACK))
    for way in ways[1:]:
        for name, maps in ways[0].maps.items():
            assert torch.allclose(way.maps[name], maps, atol=1e-4 * float(maps.abs().max()))
        assert np.allclose(way.to_frame()["probability"], ways[0].to_frame()["probability"])


class Affine(nn.Module):
    """Normalises inside the network."""

    def forward(self, images):
        return normalised(images)


def test_a_single_logit_explains_class_1_by_itself_and_class_0_by_its_negative(images):
    model = cnn(classes=1).eval()
    first, second = (
        explain(model, images, "saliency, input-x-gradient, lime, lrp", target=t, **BLACK).maps
        for t in (0, 1)
    )
    assert torch.allclose(first["saliency"], second["saliency"])
    for name in ("input-x-gradient", "lime", "lrp"):
        assert torch.allclose(first[name], -second[name], atol=1e-6)
    result = explain(model, images, "saliency", classes=["well", "ill"])
    ill = model(images).sigmoid()[:, 0]
    for row, share in zip(result.to_frame(), ill.tolist(), strict=True):
        assert row["class"] == ("ill" if share > 0.5 else "well")
        assert row["probability"] == pytest.approx(max(share, 1 - share), abs=1e-5)


Output = namedtuple("Output", ["loss", "logits"])


@pytest.mark.parametrize(
    ("make", "reading"),
    [
        (lambda scores: {"logits": scores, "other": 0}, {"output": "logits"}),
        (lambda scores: (None, scores), {"output": 1}),
        (lambda scores: [scores], {"output": -1}),
        (lambda scores: Output(0.0, scores), {"output": "logits"}),
        (lambda scores: type("Answer", (), {"logits": scores})(), {"output": "logits"}),
        (lambda scores: scores[:, :, None, None], {}),
        (lambda scores: scores, {"output": 0}),
    ],
    ids=["dict", "tuple", "list", "named tuple", "object", "1x1 map", "tensor"],
)
def test_scores_are_found_wherever_they_are(make, reading, images):
    body = cnn()
    expected = explain(body, images, "saliency, gradcam, lrp", **BLACK).maps
    found = explain(Answering(body, make), images, "saliency, gradcam, lrp", **BLACK, **reading)
    assert {*found.to_frame()["status"]} == {"ok"}
    for name, maps in found.maps.items():
        assert torch.equal(maps, expected[name])


def test_probabilities_are_explained_as_they_are(images):
    model = nn.Sequential(cnn(), nn.Softmax(1)).eval()
    result = explain(model, images, IntegratedGradients(30), output_is="probabilities", **BLACK)
    change = model(images).amax(1) - model(torch.zeros_like(images)).gather(
        1, model(images).argmax(1, keepdim=True)
    ).squeeze(1)
    assert torch.allclose(result.maps["IntegratedGradients"].sum((1, 2)), change, atol=1e-3)
    assert np.allclose(result.to_frame()["probability"], model(images).amax(1).tolist())


@pytest.mark.parametrize("planes", [1, 2, 3, 5])
def test_any_number_of_planes_is_explained_and_drawn(planes, tmp_path):
    result = explain(cnn(planes), torch.rand(planes, 20, 24), "lime, gradcam, lrp", target=0)
    assert [maps.shape for maps in result.maps.values()] == [(1, 20, 24)] * 3
    assert result.picture().startswith(b"\x89PNG")


def test_images_of_several_sizes_keep_their_order_and_get_what_each_gets_alone():
    sizes = [(16, 16), (20, 12), (16, 16), (12, 20)]
    images = [torch.rand(3, *size) for size in sizes]
    model = cnn()
    lime = Lime(50)
    result = explain(model, images, {"lime": lime, "gradient": Saliency()}, target=[0, 1, 2, 3])
    assert [tuple(m.shape) for m in result.maps["lime"]] == sizes
    assert result.to_frame()["class"][::2] == ["class 0", "class 1", "class 2", "class 3"]
    for place, image in enumerate(images):
        alone = explain(model, image, {"lime": lime, "gradient": Saliency()}, target=place)
        for name, maps in alone.maps.items():
            assert torch.allclose(result.maps[name][place], maps[0], atol=1e-6)


def test_batches_change_nothing(images):
    model = cnn()
    one, many = (
        explain(model, images, [Lime(60), "saliency", "gradcam"], batch_size=size)
        for size in (1, 32)
    )
    for name, maps in one.maps.items():
        assert torch.allclose(many.maps[name], maps, atol=1e-6)


def test_several_seeds_give_their_mean_and_how_far_they_agree(images):
    model, names = cnn(), {"lime": Lime(60), "random": "random", "saliency": "saliency"}
    single = [explain(model, images, names, target=1, seeds=[seed]).maps for seed in (3, 4)]
    both = explain(model, images, names, target=1, seeds=(3, 4))
    for name, maps in both.maps.items():
        assert torch.allclose(maps, (single[0][name] + single[1][name]) / 2, atol=1e-6)
    agreement = {row["explainer"]: row["seed_agreement"] for row in both.to_frame()}
    assert agreement["saliency"] == pytest.approx(1, abs=1e-6)
    assert abs(agreement["random"]) < 0.7
    assert {row["seed_agreement"] for row in explain(model, images, names).to_frame()} == {None}


def test_what_stops_with_an_error_is_a_row_and_the_others_go_on(images):
    images[1, :, 0, 0] = 1
    result = explain(cnn(), images, [Failing(), "saliency"])
    assert [entry.status for entry in result] == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert result[2].reason == "RuntimeError: a white pixel upsets me"
    assert result.maps["Failing"][1].isnan().all()
    assert "Failing is failed on 1 of 3: RuntimeError" in repr(result)


def test_a_status_stands_at_the_image_that_it_is_of(images):
    images[2] = torch.nan
    result = explain(cnn(), images, "saliency", target=0)
    assert [entry.status for entry in result] == ["ok", "ok", "unsupported"]


def test_dropout_in_training_mode_does_not_make_maps_random(images):
    model = cnn().train()
    first, second = (explain(model, images, "saliency").maps["saliency"] for _ in range(2))
    assert torch.equal(first, second)


BODY = cnn()
SEGMENTATION = nn.Conv2d(3, 4, 3)


@pytest.mark.parametrize(
    ("model", "reading", "words"),
    [
        (cnn(5), {}, "first convolution takes 5 planes and the images have 3"),
        (SEGMENTATION, {}, r"shape \[3, 4, 14, 14\] \(a segmentation\?\)"),
        (SEGMENTATION, {"target": 1}, r"\(a segmentation\?\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), {}, "takes one size alone, resize"),
        (BODY, {"target": 4}, "target=4 is none of the model's 4 classes"),
        (BODY, {"target": [0, 1, 9]}, "target=9 is none"),
        (BODY, {"target": -1}, "target=-1: classes are counted from 0"),
        (BODY, {"target": [0]}, "target has 1 classes and there are 3 images"),
        (BODY, {"target": "cat"}, "pass classes="),
        (BODY, {"target": "cta", "classes": ["cat", "dog", "a", "b"]}, "did you mean cat"),
        (BODY, {"classes": ["cat"]}, "classes has 1 names and the model 4 classes"),
        (BODY, {"names": ["a", "a", "b"]}, "names has 2 different names"),
        (BODY, {"output": "logits"}, "output='logits' is not in what the model answers, a Tensor"),
        (Answering(BODY, lambda s: {"a": s}), {}, "a dict of 'a'.*pass output="),
        (Answering(BODY, lambda s: {"a": s}), {"output": "b"}, "output='b' is not in"),
        (Answering(BODY, lambda s: (s, s)), {"output": 2}, "output=2 is not in.*tuple of 2"),
        (Answering(BODY, lambda s: s.argmax(1)), {}, "answers with torch.int64"),
        (Answering(BODY, lambda s: s * torch.nan), {}, "answers NaN to every image"),
        (BODY, {"output_is": "probabilities"}, "output_is='probabilities', and the model answers"),
        (BODY, {"output_is": "odds"}, "output_is='odds': expected one of"),
        (BODY, {"mean": 0.5}, "only mean is given"),
        (BODY, {"mean": (0.5, 0.5), "std": 1.0}, "mean has 2 numbers and the images 3 planes"),
        (BODY, {"mean": 0.5, "std": 1.0, "preprocess": normalised}, "mean and preprocess both"),
        (BODY, {"batch_size": 0}, "batch_size=0"),
        (BODY, {"seeds": ()}, "seeds is empty"),
        (BODY, {"explainers": "saliancy"}, "did you mean saliency"),
        (BODY, {"explainers": []}, "explainers is empty"),
    ],
)
def test_a_users_mistake_is_answered_in_one_line(model, reading, words, images):
    explainers = reading.pop("explainers", "saliency")
    try:
        with pytest.raises(ValueError, match=words) as error:
            explain(model, images, explainers, **reading)
    finally:
        reading["explainers"] = explainers
    assert "\n" not in str(error.value)


def test_a_model_in_half_precision_that_torch_cannot_compute_says_so(images):
    class Unable(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, dtype=torch.float16))

        def forward(self, images):
            raise RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'")

    with pytest.raises(ValueError, match=r"pass model.float\(\)"):
        explain(Unable(), images, "saliency")


def test_a_network_of_half_precision_is_explained_as_its_float32_twin(images):
    model = cnn().eval()
    full = explain(model, images, "saliency", target=1).maps["saliency"]
    half = explain(model.bfloat16(), images, "saliency", target=1).maps["saliency"]
    pairs = torch.stack([half.flatten(), full.flatten()])
    assert float(pairs.corrcoef()[0, 1]) > 0.98


LIGHT = """
import sys
import cellxai.explain
heavy = {"torch", "numpy", "captum", "matplotlib", "skimage", "timm", "lightning"}
assert not heavy & {*sys.modules}, heavy & {*sys.modules}
assert {"explain", "measure", "compare"} <= {*dir(cellxai.explain)}
"""
USED = """
import sys
from cellxai.explain import compare, explain, measure
heavy = {"timm", "lightning", "pytorch_lightning", "cellxai.data", "cellxai.trained", "gmm.em"}
assert not heavy & {*sys.modules}, heavy & {*sys.modules}
"""


@pytest.mark.parametrize("code", [LIGHT, pytest.param(USED, marks=pytest.mark.slow)])
def test_importing_it_imports_nothing_heavy_and_using_it_no_lightning(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_there_is_an_attribute_error():
    import cellxai.explain

    with pytest.raises(AttributeError, match="no attribute 'explian'"):
        _ = cellxai.explain.explian
