"""``quickstart``: the whole product once, on cells that it renders itself."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from cellxai.classifier.module import ModelSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import RunFolder, read_json
from cellxai.files.returned import Returned
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import TrainingSettings, choose_device, device_name
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.evaluate import evaluate_run
from cellxai.verbs.explain import Question, explain_run
from cellxai.verbs.fit import fit
from cellxai.verbs.report import report
from cellxai.verbs.synthesize import synthesize
from gmm.commandline.colour import WARNING

OUT_OF_FOCUS, OTHER_OBJECTIVE = "out of focus", "other objective"
OTHER_MAGNIFICATION = 5.0  # a cell fills the frame
N_UNFAMILIAR = 24  # enough for a share and a histogram


@dataclass(frozen=True)
class Quickstart(Returned):
    """What ``quickstart`` made.

    Args:
        page: The report.
        accuracy: Accuracy on the validation images.
        seconds: Time from start to page.
    """

    page: Path
    accuracy: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"validation accuracy {self.accuracy:.3f}; all done in {self.seconds:.0f} s\n"
            f"open the report: {self.page.resolve()}"
        )


@dataclass(frozen=True)
class Plan:
    """All that the steps need to know; its fields are the arguments of :func:`quickstart`."""

    run: Path
    n_images: int
    magnification: float
    split: SplitSettings
    transforms: Transforms
    model: ModelSettings
    training: TrainingSettings
    seed: int

    @property
    def known(self) -> Path:
        """Folder of the cells that the classifier is trained on."""
        return self.run / "data" / "cells"

    def unfamiliar(self, kind: str) -> Path:
        """Folder of cells that it should not know."""
        return self.run / "data" / kind

    @cached_property
    def trained(self) -> TrainedRun:
        """The run, read once: the steps share its images and the network's outputs."""
        return load_run(self.run, self.training.device)

    @property
    def steps(self) -> dict[str, Callable[[], object]]:
        """What is done, in this order, by what is said of it."""
        return {
            "render cells": self.render_known,
            "render cells out of focus": self.render_out_of_focus,
            "render cells through another objective": self.render_through_other_objective,
            "train a classifier": self.train,
            "judge it on images it has not seen": lambda: evaluate_run(self.trained),
            "ask which images it does not know": self.fit_density,
            "ask what it is looking at": lambda: explain_run(
                self.trained, Question(seed=self.seed)
            ),
            "write the page": lambda: report(self.run),
        }

    def render_known(self) -> object:
        """Renders the cells of the classifier."""
        return self._render(self.known, self.n_images, self.seed, self.magnification)

    def render_out_of_focus(self) -> object:
        """Renders the same cells out of focus."""
        folder, seed = self.unfamiliar(OUT_OF_FOCUS), self.seed + 1
        return self._render(folder, N_UNFAMILIAR, seed, self.magnification, spoiled=True)

    def render_through_other_objective(self) -> object:
        """Renders cells as another objective shows them."""
        folder, seed = self.unfamiliar(OTHER_OBJECTIVE), self.seed + 2
        return self._render(folder, N_UNFAMILIAR, seed, OTHER_MAGNIFICATION)

    def train(self) -> object:
        """Trains the classifier."""
        cells = Sartorius(self.known)
        settings = (self.split, self.transforms, self.model, self.training)
        return fit(cells, self.run, *settings, seed=self.seed)

    def fit_density(self) -> object:
        """Fits the density and scores the unfamiliar cells by it."""
        kinds = (OUT_OF_FOCUS, OTHER_OBJECTIVE)
        unfamiliar = {kind: Sartorius(self.unfamiliar(kind)) for kind in kinds}
        return density_of_run(self.trained, unfamiliar=unfamiliar, seed=self.seed)

    def _render(
        self, folder: Path, n_images: int, seed: int, magnification: float, spoiled: bool = False
    ) -> object:
        height, width = self.transforms.image_size
        return synthesize(
            folder, n_images, seed, height=height, width=width, magnification=magnification,
            n_workers=os.cpu_count() or 1, spoiled=spoiled,
        )  # fmt: skip


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

    The same call again keeps what is finished. Everything lies in one run folder.

    Args:
        run: Folder of the run; the rendered images lie in its data/.
        n_images: How many images to render, a third of each class.
        magnification: Magnification of the rendered cells; the images are as large as the network
            sees them.
        split: Which images train, validate and test.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        seed: Seed of everything random.
    """
    start = time.perf_counter()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"computing on {device_name(choose_device(training.device))}", markup=False)
    plan = Plan(run, n_images, magnification, split, transforms, model, training, seed)
    for number, (title, do_step) in enumerate(plan.steps.items(), 1):
        console.print(f"{number}/{len(plan.steps)} {title}", style="bold")
        for line in str(do_step()).splitlines():
            style = "yellow" if line.startswith(WARNING) else ""
            console.print(f"    {line}", style=style, markup=False)
    page = RunFolder(run).report
    return Quickstart(page, read_accuracy(run), time.perf_counter() - start)


def read_accuracy(run: Path) -> float:
    """The accuracy on the validation images, as ``evaluate`` wrote it."""
    return read_json(RunFolder(run).evaluation / "report.json")["parts"]["validation"]["accuracy"]
