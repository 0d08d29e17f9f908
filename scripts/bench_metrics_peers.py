"""Times Quantus and captum.metrics for ``bench_metrics.py``, in an environment that has them.

``python bench_metrics_peers.py INPUTS.npz THREADS`` prints one JSON object: seconds and scores of
each metric. Images are grey, because Quantus takes the channels of a colour image for pixels.
"""

# pyright: reportMissingImports=false
# They are missing here, and are imported where this runs.
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

N_STEPS, N_SUBSETS, N_NOISES = 32, 100, 10
RADIUS = 0.02


def network(width: int) -> nn.Module:
    """A convolutional net of four strided stages with batch norm and SiLU, and three classes."""
    torch.manual_seed(0)
    widths = (1, width, 2 * width, 4 * width, 8 * width)
    stages: list[nn.Module] = []
    for inward, outward in pairwise(widths):
        convolution = nn.Conv2d(inward, outward, 3, stride=2, padding=1)
        stages += [convolution, nn.BatchNorm2d(outward), nn.SiLU()]
    head = nn.Linear(widths[-1], 3)
    net = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return net.eval().requires_grad_(False)


def saliency(model: nn.Module, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Absolute gradient of the target's logit."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():  # Captum asks for explanations under no_grad
        (gradient,) = torch.autograd.grad(model(x).gather(1, targets[:, None]).sum(), x)
    return gradient.abs()


def of_quantus(model: nn.Module, x: np.ndarray, y: np.ndarray, a: np.ndarray) -> dict[str, Any]:
    """Deletion, insertion and correlation of one method's maps; hidden pixels are black."""
    import quantus

    shared = {"disable_warnings": True, "abs": False, "normalise": False}
    steps = shared | {"features_in_step": x[0, 0].size // N_STEPS}

    def show(arr: np.ndarray, indices: np.ndarray, **_: Any) -> np.ndarray:
        """Insertion: puts the image's own pixels back."""
        shown = arr.copy()
        rows = np.arange(len(arr))[:, None]
        shown[rows, indices] = x.reshape(len(x), -1)[rows, indices]
        return shown

    metrics = {
        "deletion": (quantus.PixelFlipping(perturb_baseline=0.0, **steps), x, True),
        "insertion": (quantus.PixelFlipping(perturb_func=show, **steps), np.zeros_like(x), True),
        "correlation": (
            quantus.FaithfulnessCorrelation(
                perturb_baseline=0.0, nr_runs=N_SUBSETS, subset_size=x[0, 0].size // 2, **shared
            ),
            x,
            False,
        ),
    }
    return {
        name: time_call(
            lambda metric=metric, inputs=inputs, softmax=softmax: metric(
                model=model, x_batch=inputs, y_batch=y, a_batch=a, batch_size=len(x),
                channel_first=True, softmax=softmax, device="cpu",
            )
        )
        for name, (metric, inputs, softmax) in metrics.items()
    }  # fmt: skip


def of_captum(model: nn.Module, x: np.ndarray, y: np.ndarray, a: np.ndarray) -> dict[str, Any]:
    """Infidelity of one method's maps, and max-sensitivity of a saliency."""
    from captum.metrics import infidelity, sensitivity_max

    images, targets, maps = torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(a)

    def hide_half(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.rand_like(inputs) < 0.5
        return hidden.to(inputs), torch.where(hidden, 0, inputs)

    def missed() -> torch.Tensor:
        return infidelity(
            model, hide_half, images, maps, target=targets, n_perturb_samples=N_SUBSETS,
            max_examples_per_batch=32 * len(x), normalize=True,
        )  # fmt: skip

    def explain(inputs: Any, target: torch.Tensor) -> tuple[torch.Tensor]:
        return (saliency(model, inputs[0], target),)  # Captum repeats each element: a tuple's

    def moved() -> torch.Tensor:
        return sensitivity_max(
            explain, (images,), perturb_radius=RADIUS, n_perturb_samples=N_NOISES, target=targets,
        )  # fmt: skip

    return {"infidelity": time_call(missed), "sensitivity": time_call(moved)}


def time_call(compute: Callable[[], Any]) -> dict[str, Any]:
    """Seconds and scores."""
    began = time.perf_counter()
    scores = compute()
    return {"seconds": time.perf_counter() - began, "scores": np.asarray(scores).tolist()}


def main() -> None:
    """Judges every method's maps in turn; the net is warm from one pass before."""
    path, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    inputs = np.load(path)
    x, y = inputs["images"], inputs["targets"]
    model = network(width=len(inputs["0.weight"]))
    model.load_state_dict({n: torch.from_numpy(inputs[n]) for n in model.state_dict()})
    with torch.no_grad():
        model(torch.from_numpy(x))
    results = [of_quantus(model, x, y, a) | of_captum(model, x, y, a) for a in inputs["maps"]]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
