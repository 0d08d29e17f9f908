"""Reading a trained run back: the classifier, its images, and which of them it was trained on."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.classifier.module import CellClassifier
from cellxai.data.csv_rows import read_rows
from cellxai.data.loading.datamodule import CellImages, to_batch
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault
from cellxai.data.splits import PARTS
from cellxai.explain.precision import float32_products
from cellxai.files.config import build_arguments
from cellxai.files.folder import RunFolder, read_json
from cellxai.training.allocator import keep_freed_memory
from cellxai.training.backbone_file import with_backbone
from cellxai.training.checkpoint_file import read_checkpoint
from cellxai.training.moved_data import with_moved_data
from cellxai.training.run_images import load_known_images
from cellxai.training.run_settings import RunSettings
from cellxai.training.settings import Device, choose_device
from gmm.commandline.trust import search_recorded

Checkpoint = Literal["best", "last"]
OF_TRAINING = (
    ("transforms", "augmentations"), ("training", "callbacks"), ("training", "loggers"),
)  # fmt: skip
Outputs = tuple[Float[Tensor, "n k"], Float[Tensor, "n f"]]


@dataclass(frozen=True)
class TrainedRun:
    """A trained classifier with the images it knows; images and outputs are computed when needed.

    Args:
        folder: The run folder.
        classifier: In evaluation mode, on ``device``.
        settings: What it was trained with.
        classes: Names of the classes in the order of the logits.
        checkpoint: Which checkpoint the weights are from.
        device: Where it computes.
    """

    folder: RunFolder
    classifier: CellClassifier
    settings: RunSettings
    classes: tuple[str, ...]
    checkpoint: Checkpoint
    device: torch.device
    _outputs: dict[str, Outputs] = field(default_factory=dict, init=False, repr=False)

    @property
    def transforms(self) -> Transforms:
        """What happens to an image before the network."""
        return self.settings.transforms

    @property
    def images(self) -> CellImages:
        """The data set, parted as in training; looked for when it is first asked for.

        Raises:
            FileNotFoundError: If it is not where it was.
            ValueError: If an image of it is no longer there.
        """
        return self._data[0]

    @property
    def new_images(self) -> tuple[Fault, ...]:
        """A line for each image that has come to the data set since the training."""
        return self._data[1]

    @cached_property
    def _data(self) -> tuple[CellImages, tuple[Fault, ...]]:
        try:
            return load_known_images(self.settings, self.folder.split)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{error}; if the data set of the run has moved, pass --data.root NEW"
            ) from error

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that have readable images, train first.

        Raises:
            ValueError: If no image at all can be read.
        """
        self.images.setup()
        return tuple(part for part in PARTS if self.images.records(part))

    @property
    def judged_part(self) -> str:
        """The part that had least say in the training: test, else validation, else train."""
        # From the last, so that the parts before it need not be read.
        readable = (part for part in reversed(PARTS) if self.images.records(part))
        return next(readable, PARTS[0])

    def outputs(self, part: str) -> Outputs:
        """Logits and penultimate features of a part, on the CPU, in the order of its records."""
        if part not in self._outputs:
            self._outputs[part] = self.outputs_of(self.images, part)
        return self._outputs[part]

    def outputs_of(self, images: CellImages, part: str) -> Outputs:
        """Logits and penultimate features of any images that are prepared as the run's own."""
        with torch.inference_mode(), float32_products("exact"):
            features = torch.cat(
                [
                    self.classifier.features(batch)
                    for batch, _ in images.tensor_batches(part, device=self.device)
                ]
            )
            return self.classifier.head[-1](features).cpu(), features.cpu()

    def pixels(self, part: str, index: int) -> Float[Tensor, "1 p h w"]:
        """One image of a part as the network sees it, on the device."""
        pixels = self.images.images(part)[index : index + 1]
        return to_batch(pixels.to(self.device), self.transforms.n_inputs)

    def labels(self, part: str) -> Int[Tensor, " n"]:
        """True classes of a part."""
        return self.images.labels(part)


def load_run(run: Path, device: Device = "auto") -> TrainedRun:
    """Reads a run folder: config, classes and weights; of its data set nothing yet.

    Raises:
        FileNotFoundError: If the folder holds no config or no checkpoint.
        ValueError: If the data or the config changed since the training.
    """
    folder = RunFolder(run)
    if not folder.config.exists():
        raise FileNotFoundError(f"{run} holds no config.yaml; expected the --run of `cellxai fit`")
    settings = read_settings(folder)
    classes = tuple(sorted({row["label"] for row in read_rows(folder.split, ("id", "label"))}))
    checkpoint, path = find_checkpoint(folder)
    classifier = CellClassifier(
        settings.model.backbone.build(load_weights=False), settings.model.head, len(classes)
    )
    state = read_state(path)
    if settings.model.trainable == "head":
        state = with_backbone(state, folder)
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: does not fit the network of {folder.config} with {len(classes)} "
            "classes; the data or the config changed since the training"
        ) from error
    chosen = choose_device(device)
    frozen = lay_out(
        classifier.eval().to(chosen), settings.transforms.image_size, settings.transforms.n_inputs
    )
    return TrainedRun(folder, frozen, settings, classes, checkpoint, chosen)


def read_state(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint.

    Raises:
        ValueError: If it is damaged, or holds none.
    """
    weights = read_checkpoint(path).get("state_dict")
    if not isinstance(weights, dict):
        raise ValueError(f"{path}: holds no state_dict, expected a checkpoint of `cellxai fit`")
    return weights


def read_settings(folder: RunFolder) -> RunSettings:
    """The settings that a run was trained with, every object of its config built.

    All but what only a training needs: its augmentations, callbacks and loggers are left out, so
    that a run is read without the code that they lie in. Classes of the user's own that he allows
    are also looked for where they lay when the run was trained.

    Raises:
        ValueError: If a key, a value or a class in its config is not what ``fit`` takes.
    """
    with suppress(OSError, ValueError, AttributeError):  # it is not needed to read a run
        for name, place in read_json(folder.environment).get("own_code", {}).items():
            search_recorded(Path(str(place)), name, folder.root)
    return RunSettings(**build_arguments(RunSettings, folder.config, OF_TRAINING, with_moved_data))


@torch.no_grad()
def lay_out(
    classifier: CellClassifier, image_size: tuple[int, int], n_inputs: int = 3
) -> CellClassifier:
    """The classifier as a CPU computes it faster: channels last, and freed memory kept.

    Its logits change by rounding alone. It stays as it is on other devices, and where a layer
    cannot do with that layout.
    """
    if classifier.device.type != "cpu":
        return classifier
    keep_freed_memory()  # docs/benchmarks.md, "Layout", shows what either is worth
    classifier.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    try:
        classifier(torch.zeros(1, n_inputs, *image_size))
    except RuntimeError:  # such as view, which wants channels first
        classifier.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    return classifier


def find_checkpoint(folder: RunFolder) -> tuple[Checkpoint, Path]:
    """The best checkpoint, or the last where no validation part chose a best one."""
    for name in ("best", "last"):
        path = folder.checkpoints / f"{name}.ckpt"
        if path.exists():
            return name, path
    raise FileNotFoundError(
        f"{folder.checkpoints} holds no checkpoint; run `cellxai fit --config {folder.config}`"
    )
