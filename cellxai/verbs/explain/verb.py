"""The verb itself: which images, which explainers, and what is written of each."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from cellxai.adapters.explained_classes import ClassChoice
from cellxai.adapters.explained_images import Subject, choose_subjects, find_subjects
from cellxai.adapters.explained_score import ScoreName, attach_score
from cellxai.data.grouping import with_cells
from cellxai.data.records import Fault, Record
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.batch_size import remembered_batch_size
from cellxai.explain.catalogue import named_explainers, standard_explainers
from cellxai.explain.precision import Precision, float32_products
from cellxai.explain.score import Score
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.explanations.grid import draw_grid
from cellxai.figures.explanations.lime_mask import LimeMask
from cellxai.files.folder import write_json
from cellxai.files.frame import Frame
from cellxai.files.returned import Returned
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.explain.pictures import grid_row
from cellxai.verbs.explain.plane_evidence import write_planes
from cellxai.verbs.explain.question import Question
from cellxai.verbs.explain.saved_maps import SavedMaps, maps_by_explainer, read_maps, write_maps
from cellxai.verbs.explain.work import Work


@dataclass(frozen=True)
class Explained(Returned):
    """What ``explain`` wrote.

    Args:
        folder: Where maps and pictures lie.
        images: Ids of the explained images.
        explainers: Names of the explainers.
        doubts: Explainers that are not what their name says on this model, with the reason.
        left_out: Named images that could not be read.
        n_kept: Images whose maps were there already, made with the same settings.
    """

    pictures = "*_comparison.png"

    folder: Path
    images: tuple[str, ...]
    explainers: tuple[str, ...]
    doubts: dict[str, str]
    left_out: tuple[Fault, ...] = ()
    n_kept: int = 0

    @property
    def maps(self) -> dict[str, Any]:
        """By explainer the maps [b h w] of all images; a list [h w] where their sizes differ."""
        paths = [self.folder / "maps" / f"{image}.safetensors" for image in self.images]
        return maps_by_explainer(paths)

    def to_frame(self) -> Frame:
        """A row per image and explainer: class, status, reason, cost, and LIME's R²."""
        index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
        return Frame(index_rows(index["images"]))

    def __str__(self) -> str:
        kept = f"; {self.n_kept} of {len(self.images)} were there" if self.n_kept else ""
        images = ", ".join(self.images)
        summary = f"{self.folder}: {len(self.explainers)} explainers on {images}{kept}"
        doubts = [f"warning: {name}: {reason}" for name, reason in self.doubts.items()]
        return "\n".join([summary, *doubts, *(f"left out: {fault}" for fault in self.left_out)])


def explain(
    run: Path,
    explainers: dict[str, Explainer] | str | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images: list[str] | str | None = None,
    images_per_class: int = 1,
    part: str | None = None,
    score: ScoreName | Score = "logit",
    target: str | int | None = None,
    top_labels: int = 1,
    mask: LimeMask | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    device: Device = "auto",
    precision: Precision = "exact",
) -> Explained:
    """Explains the prediction of a few images with every explainer, side by side.

    Images whose maps are there already, made with the same settings, are not computed again: a call
    that was stopped goes on where it stopped.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: Explainers by name; or short names such as lime,gradcam,random; null for LIME,
            Saliency, Integrated Gradients, Grad-CAM, Occlusion and two controls.
        superpixels: What LIME hides and what the pictures outline; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image.
        images: What to explain: ids of the run's images, of any part, or other images as files,
            folders and patterns such as ``photos/*.png``; a list, or separated by commas; null for
            the first of each class.
        images_per_class: How many images of each class, the first in the order of their ids.
        part: train, validation or test; null for the part that influenced the training least.
        score: What is explained of the predicted class: its logit, probability or log_odds; where
            labels do not exclude each other, its sigmoid or sigmoid_log_odds; or the density of the
            image, after `cellxai density`: the log p-value of the views that decide; or a
            Score of your own.
        target: The class to explain of every image, by name or number, whatever is predicted; null
            for the predicted one.
        top_labels: How many classes of each image, those of the highest scores; each has maps and
            pictures of its own.
        mask: What the picture of LIME shows in its second panel, by the options of the lime
            package, such as --mask.hide_rest true; null for the three strongest superpixels.
        seed: Seed of every random choice of an explainer.
        batch_size: Images per forward pass at most; null for what is fastest here, tried once and
            remembered in the run folder.
        device: Where to compute; "auto" takes a CUDA device when there is one.
        precision: Whether a CUDA device multiplies float32 numbers as a CPU does, or "fast", with
            11 bits of each (TF32).

    Raises:
        FileNotFoundError: If a density is to be explained and the run has none.
        ValueError: If there is no such explainer, image, part or class.
    """
    if isinstance(explainers, str):
        explainers = named_explainers(explainers)
    if isinstance(images, str):
        images = [name.strip() for name in images.split(",")]
    question = Question(
        explainers or standard_explainers(), superpixels or Slic(), baseline or BlurBaseline(),
        images, images_per_class, part, score, seed, batch_size, ClassChoice(target, top_labels),
        mask, precision,
    )  # fmt: skip
    return explain_run(load_run(run, device), question)


def explain_run(trained: TrainedRun, question: Question) -> Explained:
    """:func:`explain` of a run that is read already.

    Maps, pictures and the index are written image by image: whenever it is stopped, what is done
    is there.
    """
    with float32_products(question.precision):
        return _explain_run(trained, question)


def _explain_run(trained: TrainedRun, question: Question) -> Explained:
    work = prepare_work(trained, question)
    pictured, left_out = read_images(trained, question)
    subjects = question.classes.of(pictured, trained.classes, work.scored)
    size = question.batch_size or remembered_batch_size(
        work.folder / "batch_size.json", trained.classifier, subjects[0].image
    )
    head = work.head() | {"batch_size": size, "left_out": [str(fault) for fault in left_out]}
    done: list[SavedMaps] = []
    computed: list[SavedMaps] = []
    for subject in show_progress(subjects, work, computed):
        done.append(explain_once(work, subject, size, computed))
        entries = [
            saved.entry | known_of(of_done.record)
            for saved, of_done in zip(done, subjects, strict=False)
        ]
        of_planes = write_planes(work.folder, work.planes, entries)
        write_json(work.folder / "index.json", {**head, **of_planes, "images": entries})
    draw_grid([grid_row(saved) for saved in done], work.folder / "grid.png")
    return Explained(
        work.folder,
        tuple(saved.entry["id"] for saved in done),
        tuple(work.explainers),
        collect_doubts([saved.entry for saved in done]),
        left_out,
        len(done) - len(computed),
    )


def prepare_work(trained: TrainedRun, question: Question) -> Work:
    """What a question asks to be done to every image."""
    return Work(
        trained,
        attach_score(trained, question.score),
        question.explainers,
        CachedSuperpixels(question.superpixels, trained.folder.explain / "superpixels"),
        question.baseline,
        question.seed,
        question.mask,
        question.precision,
    )


def read_images(trained: TrainedRun, question: Question) -> tuple[list[Subject], tuple[Fault, ...]]:
    """The images of a question, and those it names that could not be read."""
    if question.images is None:
        return choose_subjects(trained, question.part, question.images_per_class), ()
    return find_subjects(trained, question.images)


def explain_once(
    work: Work, subject: Subject, batch_size: int, computed: list[SavedMaps]
) -> SavedMaps:
    """The maps of one image: read if the same settings made them, else computed and written.

    Args:
        work: What is done to the image.
        subject: The image.
        batch_size: Images per forward pass at most.
        computed: Gets the maps if they were computed.
    """
    path = work.folder / "maps" / f"{subject.name}.safetensors"
    settings = work.settings_hash(subject)
    saved = read_maps(path, settings)
    if saved is None:
        saved = work.explain(subject, batch_size)
        computed.append(saved)
        write_maps(path, saved, settings)
    return saved


def show_progress(
    subjects: Sequence[Subject], work: Work, computed: Sequence[SavedMaps]
) -> Iterator[Subject]:
    """The images one by one, under a bar with the number of forward passes per second.

    Args:
        subjects: The images.
        work: What is done to them.
        computed: Grows by what was computed.
    """
    console, begun = Console(stderr=True), time.perf_counter()
    with Bar(
        *Bar.get_default_columns(), TextColumn("{task.fields[rate]}"),
        console=console, disable=not console.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{len(work.explainers)} explainers", total=len(subjects), rate="")
        for subject in subjects:
            yield subject
            passes = sum(count_forwards(saved) for saved in computed)
            rate = passes / (time.perf_counter() - begun)
            bar.update(task, advance=1, rate=f"{rate:.0f} forwards/s")


def count_forwards(saved: SavedMaps) -> int:
    """Images that went through the model for all maps of one image."""
    return sum(explainer["forwards"] for explainer in saved.entry["explainers"].values())


def collect_doubts(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Explainers that are not what their name says, with the reason that the last image gave."""
    return {
        name: explainer["reason"]
        for entry in entries
        for name, explainer in entry["explainers"].items()
        if explainer["status"] != "ok"
    }


def known_of(record: Record) -> dict[str, Any]:
    """What a table says of an image beside its class, for the index; nothing without a table."""
    return {"columns": dict(record.columns)} if record.columns else {}


def index_rows(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the index says of each image and explainer, as rows."""
    about = ("id", "label", "predicted", "probability", "explained")
    rows = [
        {name: entry[name] for name in about} | {"explainer": name} | row
        for entry in entries
        for name, row in entry["explainers"].items()
    ]
    known = [entry.get("columns", {}) for entry in entries for _ in entry["explainers"]]
    return with_cells(rows, known)
