"""``models``: which networks there are, how large they are, which weights exist for them."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

import timm
import torch
from torch.overrides import TorchFunctionMode

from cellxai.classifier.backbone import input_sizes
from cellxai.files.frame import Frame
from cellxai.files.returned import Returned

EFFICIENTNETS = (
    *(f"tf_efficientnetv2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l", "xl")),
    *(f"tf_efficientnet_b{size}" for size in range(8)),
)
COUNTED = 40  # models; each is built to be counted, in 0.1 s, so a list of hundreds goes without


@dataclass(frozen=True)
class ListedModel:
    """One line of the table.

    Args:
        name: For ``model.backbone.name``.
        train_size: Side in pixels of the images that timm's weights were trained on.
        test_size: Side they are tested at, which ``model.own_image_size`` takes.
        n_parameters: With timm's own classifier, as papers give it; ``None`` if not counted.
        tags: Published weights; one may follow the name and a dot.
    """

    name: str
    train_size: int
    test_size: int
    n_parameters: int | None
    tags: tuple[str, ...]

    def cells(self) -> tuple[str, ...]:
        """The line as text, a cell per column."""
        size = f"{self.train_size} / {self.test_size}"
        millions = "" if self.n_parameters is None else f"{self.n_parameters / 1e6:.1f} M"
        return self.name, size, millions, " ".join(self.tags) or "none"


@dataclass(frozen=True)
class ModelTable(Returned):
    """Models of timm; as text one line per model."""

    models: tuple[ListedModel, ...]

    def to_frame(self) -> Frame:
        """A row per model."""
        names = [field.name for field in fields(ListedModel)]
        rows = [{name: getattr(model, name) for name in names} for model in self.models]
        return Frame(rows, names)

    def __str__(self) -> str:
        rows = [
            ("name", "train / test px", "parameters", "weights (name.tag)"),
            *(model.cells() for model in self.models),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"{name:<{widths[0]}}  {size:>{widths[1]}}  {count:>{widths[2]}}  {tags}"
            for name, size, count, tags in rows
        ]
        more = f"parameters are counted in lists of at most {COUNTED} models"
        return "\n".join(lines if len(self.models) <= COUNTED else [*lines, more])


def models(pattern: str | None = None) -> ModelTable:
    """Lists networks by name: image size, parameters, published weights.

    Args:
        pattern: Names of timm with ``*`` and ``?`` in them, such as ``'*mobilenet*'``; without a
            pattern, EfficientNetV2 and EfficientNet.

    Raises:
        ValueError: If no name matches; names the nearest ones.
    """
    names = matching_names(pattern) if pattern else EFFICIENTNETS
    tags = published_tags()
    counted = len(names) <= COUNTED
    return ModelTable(
        tuple(
            ListedModel(
                name,
                *input_sizes(name),
                count_parameters(name) if counted else None,
                tags.get(name, ()),
            )
            for name in names
        )
    )


def matching_names(pattern: str) -> Sequence[str]:
    """The names of timm's models that a pattern with ``*`` and ``?`` stands for.

    Raises:
        ValueError: If there is no such model.
    """
    every = timm.list_models()
    names = [name for name in every if fnmatchcase(name, pattern)]
    if not names:
        near = difflib.get_close_matches(pattern.replace("*", ""), every, n=3, cutoff=0.4)
        hint = f"nearest: {', '.join(near)}" if near else "'*' lists all"
        raise ValueError(f"no model of timm is called {pattern!r} (* and ? are wild); {hint}")
    return names


def published_tags() -> Mapping[str, tuple[str, ...]]:
    """The tags of published weights by the name of the model."""
    tags: dict[str, tuple[str, ...]] = {}
    for full in timm.list_pretrained():
        name, _, tag = full.partition(".")
        tags[name] = (*tags.get(name, ()), tag) if tag else tags.get(name, ())
    return tags


def count_parameters(name: str) -> int:
    """Numbers to learn in a model of timm, without memory for one of them."""
    with torch.device("meta"), Unfilled():
        return sum(parameter.numel() for parameter in timm.create_model(name).parameters())


class Unfilled(TorchFunctionMode):
    """Skips drawing initial weights: on the meta device that takes longer than everything else."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Any call as it is, except that ``torch.nn.init`` hands tensors back as they are."""
        keywords = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else keywords["tensor"]
        return func(*args, **keywords)
