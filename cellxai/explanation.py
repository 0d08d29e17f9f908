"""``explain``: LIME beside Captum on a few images, as maps, pictures and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save_file

from cellxai.explain.base import Attribution, Context, Explainer, context_of
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.cost import measured
from cellxai.explain.standard import standard_explainers
from cellxai.explain.superpixels import Slic, Superpixels
from cellxai.figures.explanations import draw_comparison, draw_lime_panels
from cellxai.progress import progress
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
    explainers: dict[str, Explainer] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    images_per_class: int = 1,
    part: str | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: Device = "auto",
) -> Explained:
    """Explains the prediction of a few images with every explainer, side by side.

    Args:
        run: The run folder of `cellxai fit`.
        explainers: By name; null for LIME, Saliency, Integrated Gradients, Grad-CAM, Occlusion and
            two controls.
        superpixels: What LIME hides and what the pictures outline; null for SLIC.
        baseline: What replaces hidden pixels; null for the blurred image.
        images_per_class: The first so many images of each class, in the order of their ids.
        part: train, validation or test; null for the part that had least say in the training.
        seed: Of every random choice of an explainer.
        batch_size: Images per forward pass at most.
        device: Where to compute; "auto" takes a CUDA device when there is one.
    """
    return explain_run(
        load_run(run, device),
        explainers,
        superpixels,
        baseline,
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
    images_per_class: int = 1,
    part: str | None = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Explained:
    """:func:`explain` of a run that is read already."""
    chosen = explainers or standard_explainers()
    superpixels, baseline = superpixels or Slic(), baseline or BlurBaseline()
    folder = trained.folder.explain
    described, doubts = [], {}
    for subject in progress(subjects(trained, part, images_per_class), "explaining images"):
        context = context_of(subject.image, superpixels, baseline, seed, batch_size)
        found = explain_one(trained, subject, chosen, context)
        doubts |= {name: one.reason for name, one in found.items() if one.status != "ok"}
        write_maps(folder / "maps" / f"{subject.record.id}.safetensors", subject, context, found)
        described.append(draw_and_describe(folder, trained, subject, context, found))
    names = {"superpixels": type(superpixels).__name__, "baseline": type(baseline).__name__}
    write_json(folder / "index.json", {**names, "seed": seed, "images": described})
    return Explained(folder, tuple(one["id"] for one in described), tuple(chosen), doubts)


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
