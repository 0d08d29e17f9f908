"""The verb ``export``: weights, a card and, if asked for, a program, each checked as written."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from cellxai.explain.precision import float32_products
from cellxai.files.folder import atomic, write_json
from cellxai.files.identity import hash_file
from cellxai.files.returned import Returned
from cellxai.trained.run import TrainedRun, load_run, read_settings
from cellxai.training.settings import Device
from cellxai.verbs.export.card import CARD, PROGRAM, WEIGHTS, describe_model
from cellxai.verbs.export.loading import restore
from cellxai.verbs.export.network import (
    OWN_BACKBONE,
    ScoringNetwork,
    list_classes,
    network_of,
)

Format = Literal["safetensors", "torch_export"]

PARITY = 1e-4  # of a logit: between the run and the program that torch.export made of it
N_CHECKED = 8  # real images that go through both


@dataclass(frozen=True)
class Exported(Returned):
    """What ``export`` wrote.

    Args:
        folder: Where the files lie.
        files: Their names.
        n_checked: Real images whose logits were compared.
        difference: Largest difference of a logit between the run and the program; ``None`` without
            a program. The reloaded weights differ by nothing.
        problem: What the card lacks; empty if nothing.
    """

    folder: Path
    files: tuple[str, ...]
    n_checked: int
    difference: float | None = None
    problem: str = ""

    def __str__(self) -> str:
        checked = f"reloaded: logits of {self.n_checked} images of the run are bitwise equal"
        if self.difference is not None:
            checked += f"; {PROGRAM}: within {self.difference:.1e}"
        lines = [f"{self.folder}: {', '.join(self.files)}", checked]
        return "\n".join([*lines, *([f"no metrics: {self.problem}"] if self.problem else [])])


def export(
    run: Path,
    out: Path,
    format: Format = "safetensors",  # noqa: A002 - the word that users look for
    device: Device = "auto",
) -> Exported:
    """Writes a trained run as files for another machine: model.safetensors and card.json.

    The card holds classes, input, preparation, metrics with intervals, temperature, versions, data
    fingerprint and SHA-256 of each file. Before it is written, the weights are read back into a
    fresh network, which has to give bitwise the logits of the run on images of the run (on noise
    where they are not at hand), its weights laid out alike in memory. ONNX is left out: it needs
    packages that nothing else here needs.

    Args:
        run: The run folder of `cellxai fit`; after `cellxai evaluate` the card has its figures.
        out: Folder to write; files of an earlier export there are replaced.
        format: "torch_export" adds model.pt2, a program of torch.export for any batch size, which
            runs without this package.
        device: Where to compute.

    Raises:
        ValueError: If what was written does not answer as the run does.
    """
    with float32_products("exact"):
        return export_run(load_run(run, device), out, format)


def export_run(trained: TrainedRun, out: Path, format: Format) -> Exported:  # noqa: A002
    """:func:`export` of a run that is read already."""
    images, paths = images_to_check(trained)
    network = network_of(trained.classifier)
    # As it will be read back: in another layout sums round otherwise.
    network.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    with torch.inference_mode():
        expected = network(images).cpu()
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD).unlink(missing_ok=True)  # without its card a half-written export is not read
    write_weights(network, out / WEIGHTS)
    difference = None
    if format == "torch_export":
        # Of the CPU, wherever it was checked: an archive of a GPU's tensors opens on a GPU alone.
        of_cpu = copy.deepcopy(network).cpu(), images.cpu()
        difference = write_program(*of_cpu, expected, out / PROGRAM)
    else:
        (out / PROGRAM).unlink(missing_ok=True)
    names = [WEIGHTS] if difference is None else [WEIGHTS, PROGRAM]
    card = describe_model(trained, {name: hash_file(out / name) for name in names})
    check_reload(trained, card, out, images, paths, expected)
    write_json(out / CARD, card)
    return Exported(
        out, (*names, CARD), len(images), difference, card["metrics_problem"] or ""
    )  # fmt: skip


def images_to_check(trained: TrainedRun) -> tuple[Float[Tensor, "b p h w"], list[Path]]:
    """Some images of the judged part, from its whole length, and their files.

    Noise, and no files, where the data set of the run is not at hand; no files either where an
    image is not a file of its own, as a cell is not, or was corrupted.
    """
    try:
        records = trained.images.records(trained.judged_part)
    except (OSError, ValueError):
        noise = torch.Generator().manual_seed(0)
        size = trained.transforms.n_inputs, *trained.transforms.image_size
        return torch.rand(N_CHECKED, *size, generator=noise).to(trained.device), []
    places = range(0, len(records), max(1, len(records) // N_CHECKED))[:N_CHECKED]
    images = torch.cat([trained.pixels(trained.judged_part, place) for place in places])
    chosen = [records[place] for place in places]
    plain = all(record.load_image is None and not record.corruptions for record in chosen)
    return images, [record.path for record in chosen] if plain else []


def write_weights(network: ScoringNetwork, path: Path) -> None:
    """Saves every tensor of the network, whole or not at all."""
    # Copies: safetensors refuses tensors that share their memory.
    state = {name: tensor.cpu().clone() for name, tensor in network.state_dict().items()}
    with atomic(path) as temporary:
        # Not save_file, whose file its owner alone can read: an export is made to be passed on.
        temporary.write_bytes(save(state))


def check_reload(
    trained: TrainedRun,
    card: dict[str, Any],
    folder: Path,
    images: Float[Tensor, "b p h w"],
    paths: Sequence[Path],
    expected: Float[Tensor, "b k"],
) -> None:
    """Raises ``ValueError`` unless card, weights and image files give bitwise the run's logits.

    Of noise there are no files, and the images themselves are taken.
    """
    # Only what the card cannot rebuild by itself, because it is the user's own class.
    own = card["network"]["backbone"]["class_path"] != OWN_BACKBONE
    backbone = read_settings(trained.folder).model.backbone if own else None
    transforms = trained.transforms if list_classes(card["transforms"]) else None
    fresh = restore(card, folder, backbone, transforms)
    fresh.network.to(trained.device)
    logits = fresh.logits(fresh.prepare(paths) if paths else images)
    if not torch.equal(logits, expected):
        raise ValueError(
            f"{folder / WEIGHTS}: read back, logits differ by up to "
            f"{float((logits - expected).abs().max()):.1e}, expected 0; no card was written"
        )


def write_program(
    network: ScoringNetwork,
    images: Float[Tensor, "b p h w"],
    expected: Float[Tensor, "b k"],
    path: Path,
) -> float:
    """Saves a program of ``torch.export`` and returns how far its logits are from the run's.

    Raises:
        ValueError: If the network cannot be traced, or they are further than 1e-4.
    """
    # Two at least: torch.export takes a batch of one for a constant.
    example = images.expand(2, -1, -1, -1) if len(images) == 1 else images
    free = {"images": {0: torch.export.Dim("batch", min=1)}}
    try:
        program = torch.export.export(network, (example,), dynamic_shapes=free)
    except Exception as error:  # whatever a user's own network makes the tracer raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"format=torch_export: this network cannot be traced: {reason}") from error
    with atomic(path) as temporary:
        torch.export.save(program, temporary)
    reloaded = torch.export.load(path).module()
    with torch.inference_mode():
        one_by_one = torch.cat([reloaded(image[None]) for image in images])
        logits = torch.stack([reloaded(example)[: len(images)], one_by_one]).cpu()
    difference = float((logits - expected).abs().max())
    if not difference <= PARITY:
        path.unlink()
        raise ValueError(
            f"{path}: logits differ from the run's by {difference:.1e}, expected at most {PARITY}"
        )
    return difference
