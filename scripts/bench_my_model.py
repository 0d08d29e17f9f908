"""What ``cellxai.explain.explain`` costs over the raw call of Captum: the same method and settings.

Both sides are timed in turn, in CPU seconds of this process, after one call each that is not
counted; a line is the median of the ratios of neighbours, with its 95 % interval.

    python scripts/bench_my_model.py --repeats 30

``checks`` are what we do beyond the map and Captum does not unless it is asked: the completeness of
Shapley values and integrated gradients, two passes. There, Captum's side makes these passes too.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum import attr
from torch import Tensor, nn
from torchvision.models import resnet18

from cellxai.explain import explain
from cellxai.explain.backward import IntegratedGradients, Saliency
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.hiding.shapley import KernelShap
from cellxai.explain.superpixels.methods import Grid
from cellxai.intervals import median_interval

N_STEPS, N_SAMPLES, AT_ONCE = 8, 24, 8
BLACK = ConstantBaseline(0.0)


@dataclass(frozen=True)
class Bench:
    """One comparison.

    Args:
        name: Method, network and number of images.
        ours: The five lines.
        captums: The raw call.
    """

    name: str
    ours: Callable[[], object]
    captums: Callable[[], object]


def small_network() -> nn.Module:
    """A network for pictures of 28 × 28, whose passes take next to no time."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip


def gradient_calls(model: nn.Module, images: Tensor) -> dict[str, tuple[Explainer, Callable]]:
    """Explainers and the raw calls that make the same maps, by method."""
    black, targets = torch.zeros_like(images), torch.zeros(len(images), dtype=torch.int64)

    def saliency() -> Tensor:
        return attr.Saliency(model).attribute(images.requires_grad_(), targets).sum(1)

    def integrated(checked: bool) -> Tensor:
        method: Any = attr.IntegratedGradients(model)
        maps = []
        for image, baseline, target in zip(images, black, targets, strict=True):
            settings: Any = {"n_steps": N_STEPS, "internal_batch_size": AT_ONCE}
            answer = method.attribute(
                image[None], baseline[None], int(target), **settings,
                return_convergence_delta=checked,
            )  # fmt: skip
            maps.append(answer[0] if checked else answer)
        return torch.cat(maps).sum(1)

    ours = IntegratedGradients(N_STEPS)
    return {
        "saliency": (Saliency(), saliency),
        "integrated gradients, with checks": (ours, lambda: integrated(True)),
        "integrated gradients, Captum without": (ours, lambda: integrated(False)),
    }


def hiding_calls(
    model: nn.Module, images: Tensor, cut: Grid
) -> dict[str, tuple[Explainer, Callable]]:
    """The same of methods that hide squares, which both sides are given."""
    labels, black = cut.segment(images[:1])[:, None], torch.zeros_like(images[:1])

    def each(attribute: Callable[..., Tensor], checked: bool, **settings: int) -> Tensor:
        maps = []
        with torch.no_grad():
            for image in images.split(1):
                maps.append(
                    attribute(image, baselines=black, target=0, feature_mask=labels, **settings)
                )
                if checked:
                    _ = model(image)[:, 0] - model(black)[:, 0]
        return torch.cat(maps)[:, 0]

    ablation, shap = attr.FeatureAblation(model), attr.KernelShap(model)
    asked = {"perturbations_per_eval": AT_ONCE}
    kernel = {"n_samples": N_SAMPLES, **asked}
    return {
        "feature ablation": (FeatureAblation(), lambda: each(ablation.attribute, False, **asked)),
        "kernel SHAP, with checks": (
            KernelShap(N_SAMPLES), lambda: each(shap.attribute, True, **kernel)
        ),
        "kernel SHAP, Captum without": (
            KernelShap(N_SAMPLES), lambda: each(shap.attribute, False, **kernel)
        ),
    }  # fmt: skip


def benches(model: nn.Module, images: Tensor, name: str, cut: Grid) -> list[Bench]:
    """All comparisons of one network on one batch."""
    model.eval().requires_grad_(False)
    calls = gradient_calls(model, images.clone()) | hiding_calls(model, images, cut)

    def ours(explainer: Explainer) -> Callable[[], object]:
        def five_lines() -> object:
            settings = {"superpixels": cut, "baseline": BLACK, "batch_size": AT_ONCE}
            return explain(model, images, explainer, target=0, **settings).maps

        return five_lines

    return [
        Bench(f"{method}; {name}", ours(explainer), captums)
        for method, (explainer, captums) in calls.items()
    ]


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ratio(bench: Bench, repeats: int) -> tuple[float, float, float, float]:
    """Median ratio, its 95 % interval, and the median seconds of Captum's call."""
    bench.ours()
    bench.captums()
    pairs = np.empty((repeats, 2))
    for number in range(repeats):  # who comes first changes in turn
        order = (bench.ours, bench.captums) if number % 2 else (bench.captums, bench.ours)
        times = [cpu_seconds(call) for call in order]
        pairs[number] = times if number % 2 else times[::-1]
    ratios = pairs[:, 0] / pairs[:, 1]
    low, high = median_interval(ratios) or (np.nan, np.nan)
    return float(np.median(ratios)), low, high, float(np.median(pairs[:, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description="ours over the raw call of Captum")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--only", default="", help="part of a line's name")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    networks = [
        (resnet18(weights=None), torch.rand(1, 3, 224, 224), "ResNet-18, 1 image", Grid(56)),
        (resnet18(weights=None), torch.rand(4, 3, 224, 224), "ResNet-18, 4 images", Grid(56)),
        (small_network(), torch.rand(1, 3, 28, 28), "small network, 1 image", Grid(7)),
    ]
    print(
        "| method | CPU s of Captum's call | ours ÷ Captum's | 95 % interval |\n|---|---|---|---|"
    )
    for network in networks:
        for bench in benches(*network):
            if arguments.only not in bench.name:
                continue
            median, low, high, seconds = ratio(bench, arguments.repeats)
            print(
                f"| {bench.name} | {seconds:.4f} | {median:.3f} | {low:.3f} to {high:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
