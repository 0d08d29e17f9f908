"""Superpixels remembered on disk: quickshift takes seconds per image, reading takes none."""

import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from cellxai.explain.superpixels.base import Superpixels, renumber
from cellxai.files.folder import atomic
from cellxai.files.identity import describe_settings, hash_content, hash_tensors


class CachedSuperpixels(Superpixels):
    """Another method's superpixels; each image is cut once and then read from a folder.

    The name of a file is a digest of the image, its instances, the settings of the method and the
    version of scikit-image, so that no file is ever stale. A damaged file is made again.

    Args:
        superpixels: What cuts the images.
        folder: Where the labels lie; made when the first are written. May be shared by processes.
    """

    def __init__(self, superpixels: Superpixels, folder: Path) -> None:
        self.superpixels = superpixels
        self.folder = folder

    def __repr__(self) -> str:
        # Results are stored with it: those of a warm cache, a cold one and none are the same.
        return describe_settings(self.superpixels)

    def segment(
        self,
        images: Float[Tensor, "b c h w"],
        instances: Int[Tensor, "b h w"] | None = None,
    ) -> Int64[Tensor, "b h w"]:
        """See :meth:`Superpixels.segment`."""
        each = [None] * len(images) if instances is None else instances.split(1)
        pairs = zip(images.split(1), each, strict=True)
        return torch.cat([self._segment_image(*pair) for pair in pairs])

    def _segment_image(
        self, image: Float[Tensor, "1 c h w"], instances: Int[Tensor, "1 h w"] | None
    ) -> Int64[Tensor, "1 h w"]:
        path = self.folder / f"{self._key(image, instances)}.npz"
        labels = read_labels(path, image.shape[-2:])
        if labels is None:
            labels = renumber(self.superpixels.segment(image, instances))[0]
            write_labels(path, labels)
        return labels[None].to(image.device)

    def _key(self, image: Tensor, instances: Tensor | None) -> str:
        made_by = f"{describe_settings(self.superpixels)} {version('scikit-image')}"
        known = {} if instances is None else {"instances": instances}
        return hash_content(made_by, hash_tensors({"image": image} | known))


def write_labels(path: Path, labels: Int[Tensor, "h w"]) -> None:
    """Labels of one image, compressed, with the checksum that zip files have."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, labels=labels.cpu().numpy().astype(np.int32))


def read_labels(path: Path, shape: torch.Size) -> Int64[Tensor, "h w"] | None:
    """The labels of one image; None where there is no file, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = torch.from_numpy(file["labels"].astype(np.int64))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return labels if labels.shape == shape else None
