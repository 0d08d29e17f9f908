"""Files of one channel each, joined to one image: microscopes write a file per wavelength."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Num

from cellxai.data.image_formats import ImageFault, read_image


@dataclass(frozen=True)
class JoinedPlanes:
    """Reads the files of an image, one plane each, in a stated order.

    Args:
        files: At least one.
        names: Of the planes, in the order of the files.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]

    def __call__(self) -> Num[np.ndarray, "h w *p"]:
        """The planes as ``[h w p]``, or ``[h w]`` of one alone.

        Raises:
            ImageFault: If a file cannot be read, has colour, or differs from the first in size or
                bits.
        """
        planes = [read_plane(path, name) for path, name in zip(self.files, self.names, strict=True)]
        for path, name, plane in zip(self.files, self.names, planes, strict=True):
            got, expected = (f"{p.shape[0]}×{p.shape[1]}" for p in (plane, planes[0]))
            if got != expected:
                raise ImageFault(
                    f"{path}: channel {name!r} has {got} pixels, but {self.names[0]!r} {expected} "
                    f"({self.files[0]}); expected channels of one size"
                )
            if plane.dtype != planes[0].dtype:
                bits = (f"{8 * p.dtype.itemsize} bits" for p in (plane, planes[0]))
                raise ImageFault(
                    f"{path}: channel {name!r} has {next(bits)}, but {self.names[0]!r} "
                    f"{next(bits)} ({self.files[0]}); save all channels with the same"
                )
        return planes[0] if len(planes) == 1 else np.stack(planes, -1)


def read_plane(path: Path, name: str) -> Num[np.ndarray, "h w"]:
    """The pixels of a file that holds one channel.

    Raises:
        ImageFault: If it cannot be read, or has more than one plane.
    """
    pixels = read_image(path)
    if pixels.ndim > 2:
        raise ImageFault(
            f"{path}: {pixels.shape[2]} planes in the file of channel {name!r}, expected one; a "
            "file that holds all channels is no case for this reader"
        )
    return pixels
