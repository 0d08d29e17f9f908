"""In-painting: what a superpixel would show if it continued its surroundings."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEIGHBOURS = ((1, 2), (-1, 2), (1, 3), (-1, 3))  # (shift, axis): below, above, right, left
MAX_STEPS = 500  # conjugate gradients need about as many as a superpixel is wide
STEPS_PER_LOOK = 16  # after which a GPU is asked whether all have converged
TOLERANCE = 1e-5  # largest residual, in grey levels of [0, 1]; 8 bits resolve 4e-3

Plane = Float[Tensor, "b c h w"]


def harmonic_fill(images: Plane, superpixels: Int[Tensor, "b h w"]) -> Plane:
    """Each superpixel as the smoothest surface (Laplace's equation) between its neighbours.

    Boundary values are the image's own pixels on the other side of the superpixel's border, so that
    one linear system holds the fills of all superpixels at once. A superpixel that is the whole
    image has no neighbour and gets its mean colour.
    """
    labels = superpixels[:, None]
    exists = [_in_image(labels, *step) for step in NEIGHBOURS]
    inside = [
        there & (labels == labels.roll(*step))
        for there, step in zip(exists, NEIGHBOURS, strict=True)
    ]
    outside = [there & ~within for there, within in zip(exists, inside, strict=True)]
    degree = torch.stack(exists).sum(0)

    def laplacian(fill: Plane) -> Plane:
        return degree * fill - _neighbour_sum(fill, inside)

    mean = images.mean((-1, -2), keepdim=True).expand_as(images)
    return conjugate_gradients(laplacian, _neighbour_sum(images, outside), mean).clamp(0, 1)


def conjugate_gradients(matrix: Callable[[Plane], Plane], right_side: Plane, start: Plane) -> Plane:
    """Solves ``matrix(x) = right_side`` for each channel of each image alone.

    Hestenes and Stiefel (1952). A plane that has converged stays as it is, so that its solution
    does not depend on the planes that are solved together with it.
    """
    solution = start
    residual = direction = right_side - matrix(start)
    power = residual.square().sum((-1, -2), keepdim=True)
    on_cpu = start.device.type == "cpu"
    for iteration in range(MAX_STEPS):
        active = residual.abs().amax((-1, -2), keepdim=True) > TOLERANCE
        # What has converged no longer moves: to go on for some steps costs a GPU less than to ask.
        if (on_cpu or iteration % STEPS_PER_LOOK == 0) and not active.any():
            break
        mapped = matrix(direction)
        curvature = (direction * mapped).sum((-1, -2), keepdim=True)
        step = torch.where(active, power / curvature, 0)
        solution = solution + step * direction
        residual = residual - step * mapped
        previous, power = power, residual.square().sum((-1, -2), keepdim=True)
        direction = torch.where(active, residual + power / previous * direction, direction)
    return solution


def _neighbour_sum(values: Plane, wanted: list[Bool[Tensor, "b 1 h w"]]) -> Plane:
    """Sum over the wanted ones of the four neighbours of each pixel."""
    pairs = zip(wanted, NEIGHBOURS, strict=True)
    return torch.stack([where * values.roll(*step) for where, step in pairs]).sum(0)


def _in_image(labels: Int[Tensor, "b 1 h w"], shift: int, axis: int) -> Bool[Tensor, "b 1 h w"]:
    """Whether a pixel's neighbour is in the image; if not, a roll takes it from the other side."""
    exists = torch.ones_like(labels, dtype=torch.bool)
    exists.select(axis, 0 if shift == 1 else -1).fill_(False)
    return exists
