"""``sheet.png``: the least familiar of the images that were scored, or the least sure ones."""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.figures.density import ScoredImage, draw_scored_images
from cellxai.trained.image_sets import to_picture
from cellxai.verbs.score.table import ScoreRow

NO_RECORDS: Mapping[str, Record] = {}


def draw_sheet(
    path: Path,
    rows: Sequence[ScoreRow],
    transforms: Transforms,
    n_shown: int,
    known: Mapping[str, Record] = NO_RECORDS,
) -> None:
    """Draws the least familiar images, read once more; no sheet where none can be read.

    Without a density, those whose class is least sure.

    Args:
        path: The PNG to write.
        rows: What was said of the images.
        transforms: What happens to an image before the network.
        n_shown: Largest number of them on the sheet.
        known: Records by path, of images that more than one file makes.
    """
    scored = [row for row in rows if not row.fault]
    judged = any(row.log_p for row in scored)
    kind = "least familiar" if judged else "least sure"
    worst = heapq.nsmallest(n_shown, scored, key=familiarity if judged else certainty)
    records = [
        replace(known.get(row.path) or Record("", Path(row.path), ""), id=str(index))
        for index, row in enumerate(worst)
    ]
    prepared = prepare_all(records, transforms)
    tiles = [
        tile_of_row(worst[int(record.id)], to_picture(image, transforms.plane_names))
        for record, image in zip(prepared.records, prepared.images, strict=True)
    ]
    if tiles:
        title = f"the {len(tiles)} {kind} of {len(scored)} images"
        draw_scored_images({f"{kind} first": tiles}, path, title)
    else:
        path.unlink(missing_ok=True)  # of an earlier call


def familiarity(row: ScoreRow) -> tuple[bool, float]:
    """Sorts what is least familiar first; what has no p-value before all others."""
    nats = float(row.log_p)
    return not math.isnan(nats), nats


def certainty(row: ScoreRow) -> float:
    """Sorts what is least sure first."""
    return float(row.probability)


def tile_of_row(row: ScoreRow, image: UInt8[np.ndarray, "h w *c"]) -> ScoredImage:
    """An image of the sheet with its scores."""
    note = f"{row.predicted} ({float(row.probability):.2f})"
    if not row.log_p:
        return ScoredImage(image, row.id, "", None, None, note)
    note = f"{note}; {row.view}"
    return ScoredImage(image, row.id, "", float(row.log_p), row.unfamiliar == "1", note)
