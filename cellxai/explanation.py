"""``explain``: LIME beside Captum on a few images, as maps, pictures and what they cost."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn
from safetensors.torch import save_file

from cellxai.explain.base import Attribution, Context, Explainer, context_of
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.batches import best_batch_size
from cellxai.explain.cost import measured
from cellxai.explain.instance_superpixels import known_instances
from cellxai.explain.standard import named_explainers, standard_explainers
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels import Slic, Superpixels
from cellxai.figures.explanation_grid import GridRow, draw_grid
from cellxai.figures.explanations import draw_comparison, draw_lime_panels
from cellxai.runfolder import atomic, write_json
from cellxai.subjects import Subject, subjects
from cellxai.training.settings import Device
from cellxai.training.trained import TrainedRun, load_run


@dataclass(frozen=True)
class Explained:
    """What ``explain`` wrote.

    Args:
        folder: Where maps and pictures lie.
        images: Ids of the explained images.
        explainers: Names of the explainers.
        doubts: Explainers that are not what their name says on this model, with the reason.
    """

    folder: Path
    images: tuple[str, ...]
    explainers: tuple[str, ...]
    doubts: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{self.folder}: {len(self.explainers)} explainers on {', '.join(self.images)}"]
        return "\n".join(lines + [f"warning: {name}: {why}" for name, why in self.doubts.items()])


def explain(
    run: Path,
    explainers: dict[str, Explainer] | str | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images: list[str] | None = None,
    images_per_class: int = 1,
    part: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    device: Device = "auto",
) -> Explained:
    """Explains the prediction of a few images with every explainer, side by side.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; or short names such as lime,gradcam,random; null for LIME, Saliency,
            Integrated Gradients, Grad-CAM, Occlusion and two controls.
        superpixels: What LIME hides and what the pictures outline; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image.
        images: Ids of the images to explain, of any part; null for the first of each class.
        images_per_class: The first so many images of each class, in the order of their ids.
        part: train, validation or test; null for the part that had least say in the training.
        seed: Of every random choice of an explainer.
        batch_size: Images per forward pass at most; null for what is fastest here, by trying.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If there is no such explainer, image or part.
    """
    chosen = named_explainers(explainers) if isinstance(explainers, str) else explainers
    return explain_run(
        load_run(run, device),
        chosen,
        superpixels,
        baseline,
        images,
        images_per_class,
        part,
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
    seed: int = 0,
    batch_size: int | None = None,
) -> Explained:
    """:func:`explain` of a run that is read already.

    Maps, pictures and the index are written image by image: whenever it is stopped, what is done
    is there.
    """
    chosen = explainers or standard_explainers()
    superpixels, baseline = superpixels or Slic(), baseline or BlurBaseline()
    folder = trained.folder.explain
    cached = CachedSuperpixels(superpixels, folder / "superpixels")
    explained = subjects(trained, part, images_per_class, images)
    batch_size = batch_size or best_batch_size(trained.classifier, explained[0].image)
    names = {"superpixels": type(superpixels).__name__, "baseline": type(baseline).__name__}
    described, doubts, grid = [], {}, []
    for subject in watched(explained, chosen, described):
        instances = known_instances(subject.truth)
        context = context_of(subject.image, cached, baseline, seed, batch_size, instances)
        found = explain_one(trained, subject, chosen, context)
        doubts |= {name: one.reason for name, one in found.items() if one.status != "ok"}
        write_maps(folder / "maps" / f"{subject.record.id}.safetensors", subject, context, found)
        described.append(draw_and_describe(folder, trained, subject, context, found))
        grid.append(grid_row(trained, subject, found))
        write_json(folder / "index.json", {**names, "seed": seed, "images": described})
    draw_grid(grid, folder / "grid.png")
    return Explained(folder, tuple(one["id"] for one in described), tuple(chosen), doubts)


def watched(
    explained: Sequence[Subject],
    explainers: Mapping[str, Explainer],
    described: Sequence[Mapping[str, Any]],
) -> Iterator[Subject]:
    """The images one by one, under a bar that tells how many forward passes a second there are."""
    console, begun = Console(stderr=True), time.perf_counter()
    with Bar(
        *Bar.get_default_columns(), TextColumn("{task.fields[rate]}"),
        console=console, disable=not console.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{len(explainers)} explainers", total=len(explained), rate="")
        for subject in explained:
            yield subject
            passes = sum(e["forwards"] for d in described for e in d["explainers"].values())
            rate = passes / (time.perf_counter() - begun)
            bar.update(task, advance=1, rate=f"{rate:.0f} forwards/s")


def grid_row(trained: TrainedRun, subject: Subject, found: Mapping[str, Attribution]) -> GridRow:
    """One image with its maps, as the grid of classes and methods shows it."""
    predicted = trained.classes[subject.target]
    maps = {name: one.values[0].detach().cpu().numpy() for name, one in found.items()}
    statuses = {name: one.status for name, one in found.items()}
    image = subject.image[0].permute(1, 2, 0).cpu().numpy()
    title = f"{subject.record.label}\n→ {predicted} ({subject.probability:.2f})"
    return GridRow(title, image, maps, statuses)


def explain_one(
    trained: TrainedRun, subject: Subject, explainers: Mapping[str, Explainer], context: Context
) -> dict[str, Attribution]:
    """Every explainer's attribution of one image, with its cost."""
    target = torch.tensor([subject.target], device=trained.device)
    return {
        name: measured(explainer, trained.classifier, subject.image, target, context)
        for name, explainer in explainers.items()
    }


def write_maps(
    path: Path, subject: Subject, context: Context, found: Mapping[str, Attribution]
) -> None:
    """Image, superpixels and every map of one image as safetensors."""
    tensors = {f"map/{name}": one.values[0].detach().float().cpu() for name, one in found.items()}
    tensors |= {"image": subject.image[0].cpu(), "superpixels": context.superpixels[0].cpu()}
    with atomic(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)


def draw_and_describe(
    folder: Path,
    trained: TrainedRun,
    subject: Subject,
    context: Context,
    found: Mapping[str, Attribution],
) -> dict[str, Any]:
    """Draws the pictures of one image and returns its entry of ``index.json``."""
    record, predicted = subject.record, trained.classes[subject.target]
    title = f"{record.id}: {record.label}, predicted {predicted} ({subject.probability:.2f})"
    image = subject.image[0].permute(1, 2, 0).cpu().numpy()
    superpixels = context.superpixels[0].cpu().numpy()
    surrogate = first_surrogate(found)
    lime_file = f"{record.id}_lime.png" if surrogate else None
    if surrogate and lime_file:
        name, coefficients = surrogate
        draw_lime_panels(image, superpixels, coefficients, folder / lime_file, f"{name} on {title}")
    comparison = f"{record.id}_comparison.png"
    regions = {name: region.cpu().numpy() for name, region in subject.truth.items()}
    draw_comparison(
        image,
        {
            n: a.values[0].detach().cpu().numpy()
            for n, a in found.items()
            if a.status != "unsupported"
        },
        folder / comparison,
        title,
        cause=regions.get("cause"),
        mask=regions.get("cells"),
        notes={name: cost_in_words(one) for name, one in found.items()},
    )
    return {
        "id": record.id, "label": record.label, "predicted": predicted, "target": predicted,
        "probability": round(subject.probability, 4), "part": subject.part,
        "lime": lime_file, "comparison": comparison,
        "explainers": {name: entry(one) for name, one in found.items()},
    }  # fmt: skip


def first_surrogate(
    found: Mapping[str, Attribution],
) -> tuple[str, Float[np.ndarray, " s"]] | None:
    """Name and coefficients of the first explainer that fits a surrogate to superpixels."""
    for name, one in found.items():
        if one.surrogate_r2 is not None and one.superpixel_values is not None:
            return name, one.superpixel_values[0].detach().cpu().numpy()
    return None


def cost_in_words(one: Attribution) -> str:
    """The line under a map."""
    cost = f"{one.cost.forwards} forwards, {one.cost.seconds:.1f} s"
    return cost if one.status == "ok" else f"{one.status}; {cost}"


def entry(one: Attribution) -> dict[str, Any]:
    """An explainer's row of ``index.json``."""
    r2 = None if one.surrogate_r2 is None else round(float(one.surrogate_r2[0]), 4)
    return {
        "status": one.status, "reason": one.reason, "forwards": one.cost.forwards,
        "backwards": one.cost.backwards, "seconds": round(one.cost.seconds, 3), "surrogate_r2": r2,
    }  # fmt: skip
