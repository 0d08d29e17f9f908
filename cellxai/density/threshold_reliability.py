"""Whether a threshold flags as many new images as was asked for: rows of ``reliability.csv``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellxai.density.known_images import KnownImages
from cellxai.density.rounds import Round
from cellxai.evaluation.units import sampling_units
from cellxai.intervals import grouped_share_interval

NOMINAL_PERCENTS = (1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 30.0, 50.0)


def measure_reliability(known: KnownImages, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """How many of the judged images each threshold flags: rows of ``reliability.csv``.

    The interval has the groups of images as its units, where they have groups. There are no rows
    where no image is judged, because every one says what is usual.
    """
    judging = [fitted for fitted in rounds if len(fitted.roles.judged)]
    percents = {*NOMINAL_PERCENTS, *(fitted.pipeline.settings.percent for fitted in judging)}
    surprises = [
        fitted.pipeline.surprises(known.every.some(fitted.roles.judged).rows) for fitted in judging
    ]
    judged = [known.records[int(i)] for fitted in judging for i in fitted.roles.judged]
    units = sampling_units(judged)
    rows = []
    for percent in sorted(percents) if judging else ():
        flags = np.concatenate([
            fitted.pipeline.calibration_.at(percent).judge(part).flagged.numpy()
            for fitted, part in zip(judging, surprises, strict=True)
        ])  # fmt: skip
        low, high = grouped_share_interval(flags, units) or (0.0, 1.0)
        rows.append({
            "nominal_percent": percent, "measured_share": f"{flags.mean():.6f}",
            "low": f"{low:.6f}", "high": f"{high:.6f}", "n": len(flags),
        })  # fmt: skip
    return rows
