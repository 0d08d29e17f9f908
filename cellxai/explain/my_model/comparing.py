"""``compare``: a benchmark of explainers over many images, in a store that resumes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.benchmark import Item, Progress, Setup, run_benchmark
from cellxai.explain.benchmark.shards import WHOLE
from cellxai.explain.my_model.explaining import (
    check_seeds,
    superpixels_for,
)
from cellxai.explain.my_model.images import Bounds, PlaneValues
from cellxai.explain.my_model.measured import Measured
from cellxai.explain.my_model.naming import (
    DEFAULT_EXPLAINERS,
    DEFAULT_METRICS,
    Explainers,
    Metrics,
    explainers_by_name,
    metrics_by_name,
)
from cellxai.explain.my_model.question import read_question
from cellxai.explain.my_model.reading import ModelError, Reading, ReadModel
from cellxai.explain.my_model.regions import Regions, regions_of_images
from cellxai.explain.my_model.untouched import untouched
from cellxai.explain.precision import float32_products
from cellxai.explain.results.score_arrays import read_results
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.tables.export import write_tables
from cellxai.files.lock import file_lock


def compare(
    model: Callable[[Tensor], Any],
    images: Any,
    explainers: Explainers = DEFAULT_EXPLAINERS,
    metrics: Metrics = DEFAULT_METRICS,
    *,
    store: str | Path,
    target: Any = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    output_is: str = "logits",
    mean: PlaneValues | None = None,
    std: PlaneValues | None = None,
    bounds: Bounds | None = None,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = None,
    names: Sequence[str] | None = None,
    regions: Regions | None = None,
    retry_failed: bool = False,
    tell: Callable[[Progress], Any] | None = None,
) -> Measured:
    """Every explainer under every metric on every image; a second call computes what is missing.

    The store is that of ``cellxai benchmark``, with the tables beside it. It is safe at every
    moment: stop the call, or kill the process, and call again. It refuses another model, other
    settings and other images under the same names.

    Args:
        model: As in :func:`cellxai.explain.my_model.explaining.explain`, like all not said here.
        images: What is explained.
        explainers: What is judged; a control such as ``edges`` shows what knowing nothing scores.
        metrics: What judges, as in :func:`cellxai.explain.my_model.measuring.measure`.
        store: An SQLite file, or a folder that gets ``results.sqlite``.
        target: The class to explain.
        classes: Names of the classes.
        output: Where the scores are.
        output_is: What the scores are.
        mean: Taken from each plane.
        std: What each plane is divided by.
        bounds: Of images that are normalised already.
        preprocess: Any other function of a batch in [0, 1].
        superpixels: What is hidden together.
        baseline: What replaces hidden pixels.
        seeds: Every explainer runs once with each.
        batch_size: Images per forward pass at most; None for what is fastest here, tried at the
            first start and kept.
        names: Names of the images; the store knows them by these.
        regions: Known regions by name, with a mask for each image.
        retry_failed: Whether to compute again what failed.
        tell: Called after each attribution with how far it is.

    Raises:
        ValueError: If an argument or the model does not fit, the store holds results of other
            things under the same names, or another process writes it.
        TypeError: If an argument is of another kind.
    """
    path = Path(store)
    path = path if path.suffix else path / WHOLE.file
    judged, judges = explainers_by_name(explainers), metrics_by_name(metrics, regions or ())
    with torch.inference_mode(False), torch.no_grad(), untouched(model), float32_products("exact"):
        reading = Reading(output, output_is, mean, std, bounds, preprocess)
        asked = read_question(model, reading, images, names, target, classes)
        pixels, columns = asked.images, asked.targets or [None] * len(asked.images)
        truths = regions_of_images(regions, pixels)
        setup = Setup(
            refuse_bfloat16(asked.model).judged(pixels[0]), judged, judges,
            superpixels_for(superpixels, pixels), baseline or BlurBaseline(), check_seeds(seeds),
        )  # fmt: skip
        items = [
            Item(name, image, column, truth)
            for name, image, column, truth in zip(asked.names, pixels, columns, truths, strict=True)
        ]
        with file_lock(path, "written", "name another store"):
            results = Store(path)
            for step in run_benchmark(setup, items, results, batch_size, retry_failed):
                if tell is not None:
                    tell(step)
            write_tables(path.parent, results)
    return Measured(read_results(results), path)


def refuse_bfloat16(model: ReadModel) -> ReadModel:
    """The model, if NumPy knows its numbers: the store tells models apart by a hash of them.

    Raises:
        ModelError: If it does not.
    """
    if any(parameter.dtype == torch.bfloat16 for parameter in model.parameters()):
        raise ModelError("a model in bfloat16 cannot be told from others; pass model.float()")
    return model
