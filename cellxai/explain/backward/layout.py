"""Which axes of a layer's output are rows, columns and channels: found, not assumed."""

from collections.abc import Collection
from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

MOST_FURTHER = 16  # class tokens and registers, beside however few patches
SAME_RATIO = 0.3  # of logarithms of rows / columns: strides round 17 × 22 out of 520 × 704


@dataclass(frozen=True)
class Layout:
    """Axes of an output of four: channels first, or last as in Swin.

    Args:
        channels: Axis of the channels.
        rows: Axis of the rows; the columns come next.
    """

    channels: int
    rows: int

    def n_positions(self, shape: torch.Size) -> int:
        """Rows × columns."""
        return shape[self.rows] * shape[self.rows + 1]

    def channels_first(self, output: Float[Tensor, "b *s"]) -> Float[Tensor, "b c rows columns"]:
        """The same output as [b c rows columns]."""
        return output.movedim(self.channels, 1)


CHANNELS_FIRST, CHANNELS_LAST = Layout(1, 2), Layout(3, 1)


@dataclass(frozen=True)
class TokenLayout:
    """Patches among the tokens of an output [b n d], row by row.

    Args:
        rows: Rows of the grid of patches.
        columns: Its columns.
        first: Index of the first patch: behind class token and registers, or 0 before them.
    """

    rows: int
    columns: int
    first: int

    def n_positions(self, _: torch.Size) -> int:
        """Rows × columns."""
        return self.rows * self.columns

    def patches(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b patches d"]:
        """The tokens without class token and registers."""
        return tokens[:, self.first : self.first + self.rows * self.columns]

    def channels_first(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b d rows columns"]:
        """The patches as [b d rows columns]."""
        return self.patches(tokens).unflatten(1, (self.rows, self.columns)).movedim(-1, 1)


def find_token_layout(
    tokens: Float[Tensor, "b n d"],
    images: Float[Tensor, "b c h w"],
    grids: Collection[tuple[int, int]],
) -> TokenLayout | None:
    """The layout of the largest grid that the tokens have room for; None where none has.

    Further tokens know nothing of the image before the first attention: by that they are found, in
    front unless only the last ones are so.

    Args:
        tokens: What a layer answers, before any attention.
        images: What the model was given; gradients flow from the tokens to it.
        grids: Rows and columns of the maps that convolutions have made so far.
    """
    fitting = [grid for grid in grids if grid[0] * grid[1] <= tokens.shape[1]]
    if not fitting:
        return None
    rows, columns = max(fitting, key=lambda grid: grid[0] * grid[1])
    n_further = tokens.shape[1] - rows * columns
    if n_further > max(rows * columns, MOST_FURTHER):  # a map whose channels come first
        return None
    at_end = _sees(tokens[:, :1], images) and not _sees(tokens[:, -1:], images)
    return TokenLayout(rows, columns, 0 if at_end else n_further)


def _sees(tokens: Tensor, images: Tensor) -> bool:
    (gradient,) = torch.autograd.grad(
        tokens.square().sum(), images, retain_graph=True, allow_unused=True
    )
    return gradient is not None and bool(gradient.any())


def find_layout(output: Tensor, images: Float[Tensor, "b c h w"]) -> Layout | None:
    """The layout whose rows and columns have the shape of the image; None for other than 4 axes.

    Where both have it, or none, the layout that the gradient of the output shows: rows see other
    rows of the image, channels do not.

    Args:
        output: What a layer answers.
        images: What the model was given; gradients flow from the output to it.
    """
    if output.dim() != 4 or len(output) != len(images):  # windows are no images
        return None
    fits = [
        layout
        for layout in (CHANNELS_FIRST, CHANNELS_LAST)
        if _is_shaped_like(output.shape[layout.rows :][:2], images.shape[2:])
    ]
    if len(fits) == 1:
        return fits[0]
    return _by_gradient(output, images)


def _is_shaped_like(grid: torch.Size, image: torch.Size) -> bool:
    (rows, columns), (height, width) = grid, image
    fits_in = rows <= height and columns <= width
    return rows == columns == 1 or (
        fits_in and abs(log(rows / columns) - log(height / width)) < SAME_RATIO
    )


def _by_gradient(output: Tensor, images: Float[Tensor, "b c h w"]) -> Layout:
    if not output.requires_grad:
        return CHANNELS_FIRST
    first, last = (
        _shift_of_rows(output, images, layout.rows) + _shift_of_columns(output, images, layout.rows)
        for layout in (CHANNELS_FIRST, CHANNELS_LAST)
    )
    return CHANNELS_LAST if last > first else CHANNELS_FIRST


def _shift_of_rows(output: Tensor, images: Tensor, axis: int) -> float:
    return _seen_centre(output, images, axis, -1, 0) - _seen_centre(output, images, axis, 0, 0)


def _shift_of_columns(output: Tensor, images: Tensor, axis: int) -> float:
    return _seen_centre(output, images, axis + 1, -1, 1) - _seen_centre(
        output, images, axis + 1, 0, 1
    )


def _seen_centre(output: Tensor, images: Tensor, axis: int, index: int, side: int) -> float:
    """Where, from 0 to 1 along a side, the image is seen by one index of an axis."""
    part = output.select(axis, index).sum()
    (gradient,) = torch.autograd.grad(part, images, retain_graph=True, allow_unused=True)
    if gradient is None:
        return 0.5
    seen = gradient.abs().sum((0, 1)).sum(1 - side).double()
    places = torch.linspace(0, 1, len(seen), dtype=torch.float64, device=seen.device)
    return float((seen * places).sum() / seen.sum().clamp(min=torch.finfo(torch.float64).tiny))
