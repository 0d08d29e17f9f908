"""Which stain, of all explained images: a table of every image, and a summary of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from cellxai.data.grouping import with_cells
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.plane_evidence import evidence_by_plane, why_no_planes
from cellxai.explain.results.plane_summary import PlaneSummary, summarise_planes
from cellxai.files.folder import write_csv

DIGITS = 6


def plane_entry(
    explainer: Explainer, attribution: Attribution, superpixels: Int[Tensor, "1 h w"]
) -> dict[str, Any]:
    """What the index says of an explainer's planes of one image, or why it has none."""
    evidence = evidence_by_plane(attribution, superpixels)
    if evidence is None:
        return {"no_planes": attribution.reason or why_no_planes(explainer)}
    shares, signed = evidence.shares[0].tolist(), evidence.signed[0].tolist()
    return {"planes": {"shares": _rounded(shares), "signed": _rounded(signed)}}


def write_planes(
    folder: Path, planes: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Writes ``planes.csv``, and returns what the head of the index says of the planes.

    Nothing of either where the planes have no names.
    """
    if not planes:
        return {}
    known = {entry["id"]: entry.get("columns", {}) for entry in entries}
    if rows := list(plane_rows(planes, entries)):
        cells = [known[row["image"]] for row in rows]
        write_csv(folder / "planes.csv", with_cells(rows, cells))
    return {"planes": summarise(planes, entries)}


def plane_rows(
    planes: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A row for each image, explainer and plane."""
    for entry in entries:
        for name, explainer in entry["explainers"].items():
            if "planes" not in explainer:
                continue
            shares, signed = (explainer["planes"][key] for key in ("shares", "signed"))
            known = [share for share in shares if share is not None]
            for plane, share, evidence in zip(planes, shares, signed, strict=True):
                yield {
                    "image": entry["id"], "label": entry["label"] or "",
                    "explained": entry["explained"], "explainer": name, "plane": plane,
                    "share": "" if share is None else share,
                    "signed": "" if evidence is None else evidence,
                    "highest": int(bool(known) and share == max(known)),
                }  # fmt: skip


def summarise(planes: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the head of the index says of the planes: means over images, with their intervals.

    Where several classes of an image were explained, the first counts: the unit is the image.
    """
    first = [entry for entry in entries if entry.get("rank", 1) == 1]
    names = list(first[0]["explainers"]) if first else []
    summaries, without = {}, {}
    for name in names:
        answers = [entry["explainers"][name] for entry in first]
        known = [answer["planes"] for answer in answers if "planes" in answer]
        if not known:
            without[name] = answers[0]["no_planes"]
            continue
        shares, signed = (
            np.array([part[key] for part in known], dtype=float) for key in ("shares", "signed")
        )
        summaries[name] = [
            _describe(summary) for summary in summarise_planes(planes, shares, signed)
        ]
    return {"names": list(planes), "explainers": summaries, "without": without}


def _describe(summary: PlaneSummary) -> dict[str, Any]:
    share = summary.share
    return {
        "plane": summary.plane,
        **dict(
            zip(
                ("share", "low", "high", "signed"),
                _rounded([share.mean, share.low, share.high, summary.signed]),
                strict=True,
            )
        ),
        "n_highest": summary.n_highest,
        "n_images": share.n,
    }


def _rounded(values: Sequence[float]) -> list[float | None]:
    """As JSON has them: None for what is no number."""
    return [round(value, DIGITS) if np.isfinite(value) else None for value in values]
