"""CLAHE of a batch of images at once, on any device, equal to OpenCV's to the grey level.

Zuiderveld (1994), *Contrast limited adaptive histogram equalization*, Graphics Gems IV. Where the
paper leaves a choice, the one of ``cv2.createCLAHE`` is taken, down to single-precision rounding.
"""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

N_LEVELS = 256


def equalise_batch(
    images: UInt8[Tensor, "b h w"], clip_limit: float = 4.0, tiles: tuple[int, int] = (8, 8)
) -> UInt8[Tensor, "b h w"]:
    """The images with their local contrast equalised, each for itself.

    Args:
        images: Grey planes of one size.
        clip_limit: How many times its even share of a tile's pixels a grey level may have; 0 for
            no limit.
        tiles: Rows and columns of tiles. (OpenCV's ``tileGridSize`` is columns and rows.)
    """
    tiled = split_tiles(pad_to_tiles(images, tiles), tiles)
    n_pixels = tiled.shape[-1]
    curves = tone_curves(clip(histograms(tiled), clip_limit, n_pixels), n_pixels)
    height, width = images.shape[1:]
    tile_height, tile_width = tile_size((height, width), tiles)
    rows = neighbours(height, tile_height, tiles[0], images.device)
    columns = neighbours(width, tile_width, tiles[1], images.device)
    return blend(images, curves, rows, columns, tiles[1])


def tile_size(size: tuple[int, int], tiles: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a tile after padding.

    One side that does not divide pads both: a side that does divide then grows by a whole pixel in
    every tile, as in OpenCV.
    """
    if size[0] % tiles[0] == 0 and size[1] % tiles[1] == 0:
        return size[0] // tiles[0], size[1] // tiles[1]
    return size[0] // tiles[0] + 1, size[1] // tiles[1] + 1


def pad_to_tiles(
    images: UInt8[Tensor, "b h w"], tiles: tuple[int, int]
) -> UInt8[Tensor, "b height width"]:
    """The images mirrored about their last row and column until whole tiles cover them."""
    height, width = images.shape[1:]
    tile_height, tile_width = tile_size((height, width), tiles)
    rows = mirror_places(tile_height * tiles[0], height, images.device)
    columns = mirror_places(tile_width * tiles[1], width, images.device)
    return images[:, rows[:, None], columns]


def mirror_places(n_places: int, n_pixels: int, device: torch.device) -> Int64[Tensor, " places"]:
    """The pixel shown at each place of a side that goes back and forth between its two ends."""
    if n_pixels == 1:
        return torch.zeros(n_places, dtype=torch.int64, device=device)
    place = torch.arange(n_places, device=device) % (2 * n_pixels - 2)
    return torch.minimum(place, 2 * n_pixels - 2 - place)


def split_tiles(
    images: UInt8[Tensor, "b h w"], tiles: tuple[int, int]
) -> UInt8[Tensor, "b t pixels"]:
    """The pixels of each tile, tiles row by row."""
    n, height, width = images.shape
    rows, columns = tiles
    tiled = images.reshape(n, rows, height // rows, columns, width // columns)
    return tiled.transpose(2, 3).reshape(n, rows * columns, -1)


def histograms(tiled: UInt8[Tensor, "b t pixels"]) -> Int64[Tensor, "b t levels"]:
    """How many pixels of each tile have each grey level."""
    n, n_tiles, _ = tiled.shape
    tile = torch.arange(n * n_tiles, device=tiled.device).reshape(n, n_tiles, 1)
    flat = (tile * N_LEVELS + tiled).flatten()
    size = n * n_tiles * N_LEVELS
    if flat.device.type == "cpu":
        return torch.bincount(flat, minlength=size).reshape(n, n_tiles, N_LEVELS)
    # The host would wait for the largest of all values, to know how long the result is.
    counts = torch.zeros(size, dtype=torch.int64, device=flat.device)
    return counts.scatter_add_(0, flat, torch.ones_like(flat)).reshape(n, n_tiles, N_LEVELS)


def clip(
    counts: Int64[Tensor, "b t levels"], clip_limit: float, n_pixels: int
) -> Int64[Tensor, "b t levels"]:
    """The histograms cut off at the limit, and what was cut off dealt out to all levels evenly."""
    if clip_limit <= 0:
        return counts
    limit = max(int(clip_limit * n_pixels / N_LEVELS), 1)
    excess = (counts - limit).clamp(min=0).sum(-1, keepdim=True)
    rest = excess % N_LEVELS
    # What is left after the even share goes to levels in equal steps, from black upwards.
    step = (N_LEVELS // rest.clamp(min=1)).clamp(min=1)
    level = torch.arange(N_LEVELS, device=counts.device)
    gets_one = (level % step == 0) & (level // step < rest)
    return counts.clamp(max=limit) + excess // N_LEVELS + gets_one


def tone_curves(counts: Int64[Tensor, "b t levels"], n_pixels: int) -> Float[Tensor, "b t levels"]:
    """The grey level, 0…255, that each level of each tile becomes: its share of darker pixels."""
    scale = torch.tensor(N_LEVELS - 1, dtype=torch.float32) / n_pixels
    scaled = counts.cumsum(-1).float() * scale.item()
    return scaled.round().clamp(max=N_LEVELS - 1)


def neighbours(
    n_pixels: int, tile: int, n_tiles: int, device: torch.device
) -> tuple[Int64[Tensor, " p"], Int64[Tensor, " p"], Float[Tensor, " p"]]:
    """For each pixel along a side the tiles before and after it, and the weight of the latter."""
    inverse = (1 / torch.tensor(tile, dtype=torch.float32)).item()
    place = torch.arange(n_pixels, device=device, dtype=torch.float32) * inverse - 0.5
    before = place.floor()
    weight = place - before
    first = before.long().clamp(min=0)
    return first, (before.long() + 1).clamp(max=n_tiles - 1), weight


def blend(
    images: UInt8[Tensor, "b h w"],
    curves: Float[Tensor, "b t levels"],
    rows: tuple[Int64[Tensor, " h"], Int64[Tensor, " h"], Float[Tensor, " h"]],
    columns: tuple[Int64[Tensor, " w"], Int64[Tensor, " w"], Float[Tensor, " w"]],
    n_columns: int,
) -> UInt8[Tensor, "b h w"]:
    """Each pixel's level through the curves of the four tiles around it, weighted by nearness."""
    above, below, downwards = rows
    left, right, rightwards = columns
    n_tiles = curves.shape[1]
    image = torch.arange(len(images), device=images.device).reshape(-1, 1, 1) * n_tiles
    table = curves.flatten()

    def through(row: Int64[Tensor, " h"], column: Int64[Tensor, " w"]) -> Float[Tensor, "b h w"]:
        tile = image + row[:, None] * n_columns + column
        return table[tile * N_LEVELS + images]

    # In this order and without fused operations, whose single rounding would differ from OpenCV's.
    upper = through(above, left) * (1 - rightwards) + through(above, right) * rightwards
    lower = through(below, left) * (1 - rightwards) + through(below, right) * rightwards
    blended = upper * (1 - downwards)[:, None] + lower * downwards[:, None]
    return blended.round().clamp(0, N_LEVELS - 1).to(torch.uint8)
