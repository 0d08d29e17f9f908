"""The verb itself: which images, which explainers, and what is written of each."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from cellxai.adapters.explained_images import Subject, named_subjects, subjects
from cellxai.adapters.explained_score import ScoreName, scored_run
from cellxai.data.records import Fault
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.batch_size import remembered_batch_size
from cellxai.explain.score import Score
from cellxai.explain.standard import named_explainers, standard_explainers
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.explanation_grid import draw_grid
from cellxai.files.folder import write_json
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.explain.maps import Saved, read_maps, write_maps
from cellxai.verbs.explain.pictures import grid_row
from cellxai.verbs.explain.work import Work


@dataclass(frozen=True)
class Explained:
    """What ``explain`` wrote.

    Args:
        folder: Where maps and pictures lie.
        images: Ids of the explained images.
        explainers: Names of the explainers.
        doubts: Explainers that are not what their name says on this model, with the reason.
        left_out: Named images that could not be read.
        n_kept: Images whose maps were there already, made with the same settings.
    """

    folder: Path
    images: tuple[str, ...]
    explainers: tuple[str, ...]
    doubts: dict[str, str]
    left_out: tuple[Fault, ...] = ()
    n_kept: int = 0

    def __str__(self) -> str:
        kept = f"; {self.n_kept} of {len(self.images)} were there" if self.n_kept else ""
        told = f"{self.folder}: {len(self.explainers)} explainers on {', '.join(self.images)}{kept}"
        doubts = [f"warning: {name}: {why}" for name, why in self.doubts.items()]
        return "\n".join([told, *doubts, *(f"left out: {fault}" for fault in self.left_out)])


def explain(
    run: Path,
    explainers: dict[str, Explainer] | str | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images: list[str] | str | None = None,
    images_per_class: int = 1,
    part: str | None = None,
    score: ScoreName | Score = "logit",
    seed: int = 0,
    batch_size: int | None = None,
    device: Device = "auto",
) -> Explained:
    """Explains the prediction of a few images with every explainer, side by side.

    Images whose maps are there already, made with the same settings, are not computed again: a call
    that was stopped goes on where it was.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; or short names such as lime,gradcam,random; null for LIME, Saliency,
            Integrated Gradients, Grad-CAM, Occlusion and two controls.
        superpixels: What LIME hides and what the pictures outline; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image.
        images: What to explain: ids of the run's images, of any part, or files, folders and
            patterns such as "photos/*.png" of others, with commas between or as a list; null
            for the first of each class.
        images_per_class: The first so many images of each class, in the order of their ids.
        part: train, validation or test; null for the part that had least say in the training.
        score: What is explained of the predicted class: its logit, probability or log_odds; or the
            density of the image's features, or that of its least known places, after `cellxai
            density`; or a Score of your own.
        seed: Of every random choice of an explainer.
        batch_size: Images per forward pass at most; null for what is fastest here, tried once and
            remembered in the run folder.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        FileNotFoundError: If a density is to be explained and the run has none.
        ValueError: If there is no such explainer, image or part.
    """
    return explain_run(
        load_run(run, device),
        named_explainers(explainers) if isinstance(explainers, str) else explainers,
        superpixels,
        baseline,
        [one.strip() for one in images.split(",")] if isinstance(images, str) else images,
        images_per_class,
        part,
        score,
        seed,
        batch_size,
    )


def explain_run(
    trained: TrainedRun,
    explainers: Mapping[str, Explainer] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images: Sequence[str] | None = None,
    images_per_class: int = 1,
    part: str | None = None,
    score: ScoreName | Score = "logit",
    seed: int = 0,
    batch_size: int | None = None,
) -> Explained:
    """:func:`explain` of a run that is read already.

    Maps, pictures and the index are written image by image: whenever it is stopped, what is done
    is there.
    """
    if images is None:
        explained, left_out = subjects(trained, part, images_per_class), ()
    else:
        explained, left_out = named_subjects(trained, images)
    work = Work(
        trained,
        scored_run(trained, score),
        explainers or standard_explainers(),
        CachedSuperpixels(superpixels or Slic(), trained.folder.explain / "superpixels"),
        baseline or BlurBaseline(),
        seed,
    )
    size = batch_size or remembered_batch_size(
        work.folder / "batch_size.json", trained.classifier, explained[0].image
    )
    told = work.in_words() | {"batch_size": size, "left_out": [str(fault) for fault in left_out]}
    done: list[Saved] = []
    made: list[Saved] = []
    for subject in watched(explained, work, made):
        path = work.folder / "maps" / f"{subject.record.id}.safetensors"
        settings = work.settings_of(subject)
        saved = read_maps(path, settings)
        if saved is None:
            saved = work.explain(subject, size)
            made.append(saved)
            write_maps(path, saved, settings)
        done.append(saved)
        write_json(work.folder / "index.json", {**told, "images": [one.entry for one in done]})
    draw_grid([grid_row(one) for one in done], work.folder / "grid.png")
    return Explained(
        work.folder,
        tuple(one.entry["id"] for one in done),
        tuple(work.explainers),
        doubts_of([one.entry for one in done]),
        left_out,
        len(done) - len(made),
    )


def watched(explained: Sequence[Subject], work: Work, made: Sequence[Saved]) -> Iterator[Subject]:
    """The images one by one, under a bar that tells how many forward passes a second there are.

    Args:
        explained: The images.
        work: What is done to them.
        made: Grows by what was computed.
    """
    console, begun = Console(stderr=True), time.perf_counter()
    with Bar(
        *Bar.get_default_columns(), TextColumn("{task.fields[rate]}"),
        console=console, disable=not console.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{len(work.explainers)} explainers", total=len(explained), rate="")
        for subject in explained:
            yield subject
            passes = sum(e["forwards"] for one in made for e in one.entry["explainers"].values())
            rate = passes / (time.perf_counter() - begun)
            bar.update(task, advance=1, rate=f"{rate:.0f} forwards/s")


def doubts_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Explainers that are not what their name says, with the reason that the last image gave."""
    return {
        name: told["reason"]
        for entry in entries
        for name, told in entry["explainers"].items()
        if told["status"] != "ok"
    }
