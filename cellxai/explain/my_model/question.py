"""What is asked of a model: the model as explainers call it, images, their names and classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.explain.my_model.images import read_images
from cellxai.explain.my_model.naming import read_targets
from cellxai.explain.my_model.reading import Reading, ReadModel


@dataclass(frozen=True)
class Question:
    """A call, read.

    Args:
        model: Images in [0, 1] to one score per class.
        images: On the device of the model.
        names: Of the images.
        targets: The class to explain of each image, as a column; None for the predicted one.
    """

    model: ReadModel
    images: list[Float[Tensor, "_c _h _w"]]
    names: list[str]
    targets: list[int] | None


def read_question(
    model: Callable[[Tensor], Any],
    reading: Reading,
    images: Any,
    names: Sequence[str] | None,
    target: Any,
    classes: Sequence[str] | None,
) -> Question:
    """Reads what a caller gave.

    Args:
        model: The caller's model.
        reading: How it is fed and read.
        images: The caller's images.
        names: Their names; None to number them.
        target: The class to explain, one for all images or one for each; None for the predicted.
        classes: Names of the classes.

    Raises:
        ValueError: If something does not fit, in one line that says what to do.
        TypeError: If something is of another kind.
    """
    read = ReadModel(model, reading)
    pixels = to_model(read_images(images, reading.bounds), model)
    labels = name_images(names, len(pixels))
    targets = read_targets(target, len(pixels), classes)
    read.largest_target, read.classes = max(targets or [0]), classes
    return Question(read, pixels, labels, targets)


def to_model(
    images: Sequence[Float[Tensor, "_c _h _w"]], model: Callable[[Tensor], Any]
) -> list[Float[Tensor, "_c _h _w"]]:
    """The images on the device of a model; in float64 where it computes so, else in float32."""
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if parameter is None:
        return list(images)
    precise = parameter.dtype == torch.float64
    dtype = torch.float64 if precise else torch.float32
    return [image.to(parameter.device, dtype) for image in images]


def name_images(names: Sequence[str] | None, n_images: int) -> list[str]:
    """A name for each image.

    Raises:
        ValueError: If there is another number of names, or one twice.
    """
    if names is None:
        return [f"image {number}" for number in range(n_images)]
    given = [str(name) for name in names]
    if len(given) != n_images or len(set(given)) != n_images:
        raise ValueError(
            f"names has {len(set(given))} different names and there are {n_images} images; "
            "pass one for each"
        )
    return given
