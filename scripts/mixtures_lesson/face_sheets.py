"""Faces as sheets: many small pictures in one."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

SIDE = 64  # of a face, in pixels
GAP = 4  # between faces, in pixels
COLUMNS = 10  # faces in a row of a cluster's sheet
PIXELS_PER_INCH = 100


def plot_faces(
    faces: Float[np.ndarray, "n pixel"], columns: int, captions: list[str] | None = None
) -> Figure:
    """Faces in rows, each with a caption below."""
    rows = -(-len(faces) // columns)
    captions = [""] * len(faces) if captions is None else captions
    height = 1.0 + 0.3 * any(captions)
    figure = Figure(figsize=(1.05 * columns, (height + 0.05) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, face, caption in zip(axes, faces, captions, strict=False):
        ax.imshow(face.reshape(SIDE, SIDE), cmap="gray", vmin=0, vmax=1)
        ax.text(0.5, -0.04, caption, transform=ax.transAxes, ha="center", va="top", fontsize=7)
    return figure


def plot_clusters(faces: Float[np.ndarray, "n pixel"], labels: Int[np.ndarray, " n"]) -> Figure:
    """A row of faces for each cluster, two clusters side by side; at most ten of each."""
    clusters = np.unique(labels)
    strips = [_strip(faces[labels == cluster][:COLUMNS]) for cluster in clusters]
    counts = [int((labels == cluster).sum()) for cluster in clusters]
    inches = strips[0].shape[1] / PIXELS_PER_INCH, (SIDE + GAP) / PIXELS_PER_INCH
    rows = -(-len(strips) // 2)
    figure = Figure(figsize=(2 * inches[0] + 1.6, rows * (inches[1] + 0.04)), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, cluster, strip, count in zip(axes, clusters, strips, counts, strict=False):
        ax.imshow(strip, cmap="gray", vmin=0, vmax=1)
        ax.text(-0.01, 0.5, f"{cluster} ({count})", transform=ax.transAxes, ha="right", va="center",
                fontsize=9)  # fmt: skip
    return figure


def _strip(faces: Float[np.ndarray, "n pixel"]) -> Float[np.ndarray, "row column"]:
    # White where a cluster has fewer faces, so that all strips are equally wide.
    strip = np.ones((COLUMNS, SIDE, SIDE + GAP))
    strip[: len(faces), :, :SIDE] = faces.reshape(-1, SIDE, SIDE)
    return strip.transpose(1, 0, 2).reshape(SIDE, -1)
