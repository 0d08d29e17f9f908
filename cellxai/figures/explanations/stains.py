"""Which stain, where: the planes of one image in a row, and under each what an explainer says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float

from cellxai.figures.colours import CAUSE_OUTLINE
from cellxai.figures.overlay import draw_signed_scale, outline, robust_limit, tint_by_sign
from cellxai.figures.style import PAGE_WIDTH, TITLE_LETTERS, drawing, picture_axes, shorten

LEAST_COLUMNS = 3  # panels of two planes are not made wider than those of three
BRIGHTEST = 99.8  # percentile of a plane that is drawn white: a speck leaves the rest to be seen


@dataclass(frozen=True)
class StainMaps:
    """The planes of one image, and their maps.

    Args:
        title: Which image, which class.
        planes: Names of the planes.
        image: In [0, 1].
        maps: Signed evidence by explainer.
        shares: Share of each plane in the evidence, by explainer.
        causes: Pixels that make the class in each plane, where they are known.
        score: What the maps explain, in words.
        meanings: What a map says where it is no evidence for or against, by explainer.
    """

    title: str
    planes: Sequence[str]
    image: Float[np.ndarray, "h w p"]
    maps: Mapping[str, Float[np.ndarray, "p h w"]]
    shares: Mapping[str, Sequence[float | None]]
    causes: Bool[np.ndarray, "p h w"] | None = None
    score: str = "score of the class"
    meanings: Mapping[str, str] = field(default_factory=dict)


def draw_stain_maps(stains: StainMaps, path: Path) -> None:
    """Draws each plane in grey, and below it the map of every explainer in that plane.

    The maps of an explainer share one scale, so that planes can be compared.

    Args:
        stains: What is drawn.
        path: The PNG to write.
    """
    n_planes, names = len(stains.planes), list(stains.maps)
    width = PAGE_WIDTH / max(n_planes, LEAST_COLUMNS)
    height = width * stains.image.shape[0] / stains.image.shape[1] + 0.25
    rows = len(names) + 1
    greys = [brighten(stains.image[..., place]) for place in range(n_planes)]
    with drawing(path, n_planes * width + 0.4, rows * height + 1.1, sheet=True) as figure:
        panels = figure.subplots(rows, n_planes, squeeze=False)
        for axes in panels.flat:
            picture_axes(axes)
        for place, (axes, grey) in enumerate(zip(panels[0], greys, strict=True)):
            axes.imshow(grey)
            axes.set_title(shorten(stains.planes[place]))
            if stains.causes is not None and stains.causes[place].any():
                outline(axes, stains.causes[place], CAUSE_OUTLINE, 0.9)
                axes.set_xlabel("yellow: planted cause", fontsize=7)
        panels[0, 0].set_ylabel("image", fontsize=8)
        for line, name in zip(panels[1:], names, strict=True):
            limit = robust_limit(stains.maps[name])
            line[0].set_ylabel(fill(name, 16), fontsize=8)
            pairs = zip(line, greys, stains.maps[name], stains.shares[name], strict=True)
            for axes, grey, values, share in pairs:
                axes.imshow(tint_by_sign(grey, values, limit))
                words = "no evidence" if share is None else f"{share:.0%} of the evidence"
                axes.set_xlabel(words, fontsize=7)
        ends = f"lowers the {stains.score}", "0", f"raises the {stains.score}"
        others = [name for name in names if stains.meanings.get(name)]
        remark = ", one scale for the planes of a row"
        remark += f"\nnot of {', '.join(others)}, where green is strong" if others else ""
        draw_signed_scale(
            figure, list(panels.flat), dict(zip((-1, 0, 1), ends, strict=True)), remark=remark
        )
        figure.suptitle(fill(stains.title, TITLE_LETTERS))


def brighten(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """A plane as a grey picture between its darkest level and nearly its brightest."""
    low, high = plane.min(), np.percentile(plane, BRIGHTEST)
    shown = (plane - low) / max(high - low, np.finfo(np.float32).tiny)
    return np.repeat(shown.clip(0, 1)[..., None], 3, axis=-1)
