"""Times the metrics of explanations against Quantus 0.6 and captum.metrics, at equal numbers.

``python scripts/bench_metrics.py --peers PYTHON``, where PYTHON is an interpreter that has Quantus
and Captum: deletion and insertion in 32 steps of pixels, faithfulness correlation and infidelity
over 100 subsets of half the pixels, max-sensitivity of a saliency over 10 noises; on 8 grey images
of 128 × 128 pixels, for the maps of several methods. Prints seconds per metric, their ratio,
forwards, and by how much the two deletion curves differ. Ours runs as `cellxai benchmark` does:
channels last, freed memory kept, the batch size that is fastest here. Two minutes with the peers.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from bench_metrics_peers import N_NOISES, N_STEPS, N_SUBSETS, RADIUS, network, saliency
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Case, Context, Explainer, Model
from cellxai.explain.batch_size import best_batch_size
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.faithfulness import (
    DeletionAUC,
    InsertionAUC,
    removal_ranks,
    score_curves,
)
from cellxai.explain.metrics.faithfulness_correlation import FaithfulnessCorrelation
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.probing import Remembering
from cellxai.explain.metrics.stability import MaxSensitivity
from cellxai.training.allocator import keep_freed_memory

N_IMAGES, SIDE = 8, 128

OF_MAPS: dict[str, Metric] = {
    "deletion": DeletionAUC("pixels", N_STEPS),
    "insertion": InsertionAUC("pixels", N_STEPS),
    "correlation": FaithfulnessCorrelation(0.5, N_SUBSETS, "pixels"),
    "infidelity": Infidelity(True, 0.5, N_SUBSETS, "pixels"),
}


class PlainSaliency(Explainer):
    """The very function that the peers explain by."""

    def attribute(
        self, model: Model, images: Tensor, targets: Tensor, context: Context
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        assert isinstance(model, nn.Module)
        return Attribution(saliency(model, images, targets)[:, 0])


def inputs_of(model: nn.Module, n_methods: int) -> dict[str, np.ndarray]:
    """Images, explained classes, maps and weights: what both sides are given."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(N_IMAGES, 1, SIDE, SIDE, generator=generator)
    maps = torch.randn(n_methods, N_IMAGES, 1, SIDE, SIDE, generator=generator)
    with torch.no_grad():
        targets = model(images).argmax(1)
    tensors = {"images": images, "targets": targets, "maps": maps} | model.state_dict()
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def ours(model: nn.Module, inputs: dict[str, np.ndarray]) -> tuple[list[dict[str, float]], int]:
    """Seconds of each metric for each method, and forwards of the metrics of maps."""
    images, targets = torch.from_numpy(inputs["images"]), torch.from_numpy(inputs["targets"])
    labels = torch.zeros(N_IMAGES, SIDE, SIDE, dtype=torch.long)  # no metric here asks for them
    context = Context(
        labels, torch.zeros_like(images), batch_size=best_batch_size(model, images[:1])
    )
    remembering, noises, timed = Remembering(model), MaxSensitivity(RADIUS, N_NOISES), []
    case = Case(model, images, targets, context)
    remembered = case.with_model(remembering)
    for maps in inputs["maps"]:
        attribution = Attribution(torch.from_numpy(maps)[:, 0])
        seconds = {
            name: seconds_of(metric.score, remembered, attribution)
            for name, metric in OF_MAPS.items()
        }
        seconds["sensitivity"] = seconds_of(noises.score, PlainSaliency(), case, attribution)
        timed.append(seconds)
    return timed, remembering.forwards


def seconds_of(compute: Callable[..., Any], *arguments: Any) -> float:
    """Wall-clock time of a call."""
    began = time.perf_counter()
    compute(*arguments)
    return time.perf_counter() - began


def curve_difference(
    model: nn.Module, inputs: dict[str, np.ndarray], theirs: list[list[float]]
) -> float:
    """Largest difference to the deletion curves of Quantus, which has no starting point."""
    images, maps = torch.from_numpy(inputs["images"]), torch.from_numpy(inputs["maps"][0])[:, 0]
    black = torch.zeros_like(images)
    context = Context(torch.zeros_like(maps).long(), black)
    case = Case(model, images, torch.from_numpy(inputs["targets"]), context)
    curves = score_curves(case, black, removal_ranks(case, Attribution(maps), "pixels", N_STEPS))
    return float((torch.stack(curves)[:, 1:] - torch.tensor(theirs)).abs().max())


def peers(python: Path, inputs: dict[str, np.ndarray], threads: int) -> list[dict[str, Any]]:
    """What ``bench_metrics_peers.py`` measures in another environment."""
    script = Path(__file__).with_name("bench_metrics_peers.py")
    with TemporaryDirectory() as folder:
        path = Path(folder, "inputs.npz")
        np.savez(path, allow_pickle=False, **inputs)
        command = [str(python), str(script), str(path), str(threads)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measures both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="an interpreter that has quantus and captum")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", type=int, default=8, help="whose maps are judged")
    parser.add_argument("--width", type=int, default=48, help="channels of the first stage")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    model = network(arguments.width).to(memory_format=torch.channels_last)
    inputs = inputs_of(model, arguments.methods)
    mine, forwards = ours(model, inputs)
    theirs = peers(arguments.peers, inputs, arguments.threads) if arguments.peers else None
    print(f"{arguments.methods} methods, {N_IMAGES} images, {forwards} forwards by metrics of maps")
    total = {"ours": 0.0, "peers": 0.0}
    for name in mine[0]:
        own = sum(seconds[name] for seconds in mine)
        total["ours"] += own
        if theirs is None:
            print(f"{name:12} {own:7.2f} s")
            continue
        other = sum(method[name]["seconds"] for method in theirs)
        total["peers"] += other
        print(f"{name:12} {own:7.2f} s, peers {other:7.2f} s: {other / own:5.1f} x")
    if theirs:
        print(f"{'together':12} {total['ours']:7.2f} s, peers {total['peers']:7.2f} s: "
              f"{total['peers'] / total['ours']:5.1f} x")  # fmt: skip
        difference = curve_difference(model, inputs, theirs[0]["deletion"]["scores"])
        print(f"deletion curves differ by at most {difference:.1e}")


if __name__ == "__main__":
    main()
