"""Measures what the benchmark adds to the passes through the model, and what a resume takes.

``python scripts/bench_benchmark.py``: EfficientNetV2-b0 with random weights on images of 224 × 224.
Prints the seconds that are neither an explainer's nor a metric's as a share of those in forward and
backward passes, what the dry run had expected, and what a second start takes that finds 10,000 rows
and nothing to do.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import timm
import torch
from torch import nn

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import IntegratedGradients, Saliency
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.benchmark import Item, Setup, planned_keys, run_benchmark
from cellxai.explain.benchmark.forecast import forecast
from cellxai.explain.controls import RandomAttribution
from cellxai.explain.lime.lime import Lime
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.metrics.faithfulness_correlation import FaithfulnessCorrelation
from cellxai.explain.metrics.stability import SeedStability
from cellxai.explain.results.rows import ScoreRow
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

SIDE, N_CLASSES = 224, 3
EXPLAINERS: dict[str, Explainer] = {
    "LIME": Lime(200),
    "Saliency": Saliency(),
    "Integrated Gradients": IntegratedGradients(32),
    "Grad-CAM": GradCam(),
    "random": RandomAttribution(),
}
METRICS: dict[str, Metric | ExplainerMetric] = {
    "deletion": DeletionAUC(),
    "insertion": InsertionAUC(),
    "correlation": FaithfulnessCorrelation(),
    "Gini": Gini(),
    "seeds": SeedStability(),
}
SHARED = Grid(32), BlurBaseline()  # superpixels that take no time: they are not the engine's
BATCH_SIZE = 32
N_ROWS, N_METHODS, N_METRICS = 10_000, 20, 20


class Passes:
    """Seconds in a model's forward and backward passes; on the CPU, where calls return when done.

    Args:
        model: What is timed.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.seconds = 0.0
        self._began = 0.0

    @contextmanager
    def time_block(self) -> Iterator[None]:
        """Times the passes while the block lasts."""
        gradients = torch.autograd.grad
        hooks = [
            self.model.register_forward_pre_hook(self._begin),
            self.model.register_forward_hook(self._end),
        ]
        torch.autograd.grad = self._time_calls(gradients)
        try:
            yield
        finally:
            torch.autograd.grad = gradients
            for hook in hooks:
                hook.remove()

    def _begin(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def _end(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._began

    def _time_calls(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = compute(*arguments, **options)
            self.seconds += time.perf_counter() - start
            return result

        return timed


def images(n: int) -> list[Item]:
    """Noise under so many names."""
    drawn = torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return [Item(f"{place}.png", image) for place, image in enumerate(drawn)]


def engine_share(model: nn.Module, folder: Path, n_images: int) -> None:
    """Prints what the engine adds to the passes."""
    store, passes = Store(folder / "share.sqlite"), Passes(model)
    setup, items = Setup(model, EXPLAINERS, METRICS, *SHARED), images(n_images)
    start = time.perf_counter()
    expected = n_images * forecast(setup, items[0], BATCH_SIZE).seconds
    forecasting = time.perf_counter() - start
    start = time.perf_counter()
    with passes.time_block():
        for _ in run_benchmark(setup, items, store, BATCH_SIZE):
            pass
    whole = time.perf_counter() - start
    explaining = sum(answer.seconds for answer in store.answers())
    judging = sum(row.metric_seconds for row in store.rows())
    engine = whole - explaining - judging
    print(f"{len(store.rows())} rows in {whole:.2f} s: explainers {explaining:.2f} s, metrics "
          f"{judging:.2f} s, of these {passes.seconds:.2f} s in passes; the engine {engine:.2f} s, "
          f"{engine / passes.seconds:.1%} of the passes")  # fmt: skip
    print(f"forecast in {forecasting:.2f} s: {expected:.2f} s")


def resume(model: nn.Module, folder: Path) -> None:
    """Prints what a second start takes when nothing is missing."""
    store = Store(folder / "resume.sqlite")
    items = images(N_ROWS // (N_METHODS * N_METRICS))
    explainers: dict[str, Explainer] = {f"{n}": RandomAttribution() for n in range(N_METHODS)}
    metrics: dict[str, Metric | ExplainerMetric] = {f"{n}": Gini() for n in range(N_METRICS)}
    names = [item.id for item in items]
    store.write(
        ScoreRow(*key, 0.5, 0.1, "ok", "", 1, 0, 0.1)
        for key in planned_keys(names, explainers, metrics, (0,))
    )
    setup = Setup(model, explainers, metrics, *SHARED)
    for _ in range(2):  # the first also sees the settings for the first time
        began = time.perf_counter()
        made = list(run_benchmark(setup, items, store))
        seconds = time.perf_counter() - began
        print(f"a start on {N_ROWS} finished rows: {seconds:.2f} s, {len(made)} computed")


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnetv2_b0", num_classes=N_CLASSES).eval()
    with TemporaryDirectory() as folder:
        engine_share(model, Path(folder), arguments.images)
        resume(model, Path(folder))


if __name__ == "__main__":
    main()
