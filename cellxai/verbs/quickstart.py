"""``quickstart``: the whole product once, on cells that it renders itself."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rich.console import Console

from cellxai.classifier.module import ModelSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import RunFolder, read_json
from cellxai.trained.run import load_run
from cellxai.training.settings import TrainingSettings, choose_device, device_name
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.evaluate import evaluate_run
from cellxai.verbs.explain import explain_run
from cellxai.verbs.fit import fit
from cellxai.verbs.report import report
from cellxai.verbs.synthesize import synthesize

OTHER_OBJECTIVE = 5.0  # magnification: a cell fills the frame
N_UNFAMILIAR = 24  # enough for a share and a histogram


@dataclass(frozen=True)
class Quickstart:
    """What ``quickstart`` made.

    Args:
        page: The report.
        accuracy: On the validation images.
        seconds: From start to page.
    """

    page: Path
    accuracy: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"validation accuracy {self.accuracy:.3f}; all done in {self.seconds:.0f} s\n"
            f"open the report: {self.page.resolve()}"
        )


def quickstart(
    run: Path = Path("runs/quickstart"),
    n_images: int = 600,
    magnification: float = 1.5,
    split: SplitSettings = SplitSettings(validation_share=0.12, test_share=0.12),
    transforms: Transforms = Transforms(image_size=(128, 128), brightness=0.05),
    model: ModelSettings = ModelSettings(),
    training: TrainingSettings = TrainingSettings(),
    seed: int = 0,
) -> Quickstart:
    """Renders cells, trains on them, judges, scores density, explains, and writes the report.

    The same call again picks up what is finished. Everything lies in one run folder.

    Args:
        run: Folder of the run; the rendered images lie in its data/.
        n_images: Images to render, a third of each class.
        magnification: Of the rendered cells; they are rendered at the size that the network sees.
        split: Which images train, validate, test.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        seed: Of everything that is drawn.
    """
    start = time.perf_counter()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"computing on {device_name(choose_device(training.device))}", markup=False)
    known, unfamiliar = run / "data" / "cells", run / "data"
    render = partial(
        synthesize, height=transforms.image_size[0], width=transforms.image_size[1],
        magnification=magnification, n_workers=os.cpu_count() or 1,
    )  # fmt: skip
    # Read once, when it is trained: the steps share its images and the network's outputs.
    trained = cache(lambda: load_run(run, training.device))
    steps: dict[str, Callable[[], object]] = {
        "render cells": lambda: render(known, n_images, seed),
        "render cells out of focus": lambda: render(
            unfamiliar / "out of focus", N_UNFAMILIAR, seed + 1, spoiled=True
        ),
        "render cells through another objective": lambda: render(
            unfamiliar / "other objective", N_UNFAMILIAR, seed + 2, magnification=OTHER_OBJECTIVE
        ),
        "train a classifier": lambda: fit(
            Sartorius(known), run, split, transforms, model, training, seed=seed
        ),
        "judge it on images it has not seen": lambda: evaluate_run(trained()),
        "ask which images it does not know": lambda: density_of_run(
            trained(),
            unfamiliar={
                name: Sartorius(unfamiliar / name) for name in ("out of focus", "other objective")
            },
            seed=seed,
        ),
        "ask what it is looking at": lambda: explain_run(trained(), seed=seed),
        "write the page": lambda: report(run),
    }
    for number, (doing, work) in enumerate(steps.items(), 1):
        console.print(f"{number}/{len(steps)} {doing}", style="bold")
        console.print(f"    {work()}", markup=False)
    page = RunFolder(run).report
    return Quickstart(page, validation_accuracy(run), time.perf_counter() - start)


def validation_accuracy(run: Path) -> float:
    """The figure that ``evaluate`` wrote."""
    return read_json(RunFolder(run).evaluation / "report.json")["parts"]["validation"]["accuracy"]
