"""The same network in other words: every explainer gives the same map, or says why not."""

from dataclasses import replace

import pytest
import torch
from random_networks import OTHER_WORDS, build_network, draw_blocks

from cellxai.explain.backward.deeplift import DeepLiftShap
from cellxai.explain.backward.gradients import IntegratedGradients
from cellxai.explain.backward.smoothing import GradientShap, SmoothGrad
from cellxai.explain.base import Context, Explainer
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.occlusion import Occlusion
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling
from cellxai.explain.lime.captum import CaptumLime
from cellxai.explain.superpixels.methods import Grid

EXPLAINERS: dict[str, Explainer] = every_explainer(n_samples=40) | {
    "occlusion": Occlusion(4, 4), "shapley-sampling": ShapleyValueSampling(5),
    "smoothgrad": SmoothGrad(4), "gradient-shap": GradientShap(8),
    "integrated-gradients": IntegratedGradients(8), "deeplift-shap": DeepLiftShap(3),
    "lime-captum": CaptumLime(20), "kernel-shap": KernelShap(20),
}  # fmt: skip
BY_RULES = ("lrp", "lrp-gamma-box", "deeplift", "guided-backprop", "deconvolution", "gradcam")
DRAWING = {  # by the bytes of the image, which are others in half precision
    "lime-captum", "smoothgrad", "gradient-shap", "deeplift-shap", "shapley-sampling",
    "kernel-shap", "random",
}  # fmt: skip
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
TOLERATED, TOLERATED_OF_HALVES = 1e-3, 0.3  # of the length of the map
SEEDS_PER_WORDS = 19  # 209 networks


def faults_of(seed: int, words: str, names) -> list[str]:
    """What an explainer says of a network in other words and not of the network, with status ok."""
    half = HALVES.get(words)
    dtype = torch.float64 if half is None else torch.float32
    network = build_network(seed, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(1, 3, 12, 12, generator=generator, dtype=torch.float64).to(dtype)
    target = network(images).argmax(1)
    labels = Grid(4).segment(images)
    context = Context(labels, torch.full_like(images, 0.5), seed=3, batch_size=8)
    same_images, same_context = images, context
    if half is not None:
        same_images = images.to(half)
        same_context = replace(context, baseline=context.baseline.to(half))
    if words == "memory that is channels last":
        same_images = images.to(memory_format=torch.channels_last)
    same_network, faults = OTHER_WORDS[words](seed), []
    for name in names:
        where = f"{name} of network {seed}, {words}: {draw_blocks(seed)}: "
        first = attribute_with_cost(EXPLAINERS[name], network, images, target, context)
        again = attribute_with_cost(
            EXPLAINERS[name], same_network, same_images, target, same_context
        )
        if again.status != "ok":
            is_line = bool(again.reason) and "\n" not in again.reason
            faults += [] if is_line else [f"{where}reason {again.reason!r}"]
            continue
        if half is not None and name in DRAWING:
            continue
        if first.status != "ok":
            faults.append(f"{where}ok, and the network itself is {first.reason}")
        gap = (again.values.to(dtype) - first.values).norm() / first.values.norm()
        if not gap <= (TOLERATED if half is None else TOLERATED_OF_HALVES):
            faults.append(f"{where}another map by {gap:.2g}")
    return faults


@pytest.mark.parametrize("words", OTHER_WORDS)
def test_methods_with_rules_explain_the_network_and_not_its_words(words):
    assert [fault for seed in (1, 5) for fault in faults_of(seed, words, BY_RULES)] == []


@pytest.mark.slow
@pytest.mark.parametrize("words", OTHER_WORDS)
def test_every_explainer_explains_the_network_and_not_its_words(words):
    start = 1000 * list(OTHER_WORDS).index(words)
    seeds = range(start, start + SEEDS_PER_WORDS)
    assert [fault for seed in seeds for fault in faults_of(seed, words, EXPLAINERS)] == []


def test_other_words_are_the_same_function():
    images = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    for words, build in OTHER_WORDS.items():
        for seed in range(8):
            expected, dtype = build_network(seed)(images), HALVES.get(words, torch.float64)
            actual = build(seed)(images.to(dtype)).double()
            tolerance = 1e-9 if dtype == torch.float64 else 0.05
            torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
