"""The Olivetti faces: 400 photos of 40 people, in the file that scikit-learn reads."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from sklearn.datasets import fetch_olivetti_faces

from cellxai.data.records import Record, Scan, Source

FILE = "olivetti_py3.pkz"
FETCH = "from sklearn.datasets import fetch_olivetti_faces as fetch; fetch()"


@dataclass(frozen=True)
class OlivettiFaces(Source):
    """400 faces of 64 × 64 pixels (AT&T, Cambridge), ten of each person; a class is a person.

    Ids are ``person-07-photo-3``, classes ``person-07``. Nothing is downloaded. The file is a
    pickle, which can run code when it is read: take it from scikit-learn and from nobody else.

    Args:
        root: The folder that holds ``olivetti_py3.pkz``; ``null`` for scikit-learn's own.
    """

    root: Path | None = None

    def scan(self) -> Scan:
        """One record per photo, by person.

        Raises:
            FileNotFoundError: If the file is not there.
        """
        people = read_faces(self.root)[1]
        path = Path(FILE) if self.root is None else self.root / FILE
        photo = np.array([(people[:i] == person).sum() for i, person in enumerate(people)])
        return Scan(
            tuple(
                Record(
                    f"person-{people[place]:02d}-photo-{photo[place]}",
                    path,
                    f"person-{people[place]:02d}",
                    load_image=partial(read_face, self.root, int(place)),
                )
                for place in np.lexsort((photo, people))
            )
        )


def read_face(root: Path | None, place: int) -> UInt8[np.ndarray, "64 64"]:
    """The pixels of a photo, by its place in the file."""
    return read_faces(root)[0][place]


@lru_cache(maxsize=1)
def read_faces(root: Path | None) -> tuple[UInt8[np.ndarray, "n 64 64"], np.ndarray]:
    """All photos upright, and who is on each.

    Raises:
        FileNotFoundError: If the file is not there.
    """
    try:
        faces: Any = fetch_olivetti_faces(data_home=root, download_if_missing=False)
    except OSError as error:
        place = "scikit-learn's data folder" if root is None else str(root)
        raise FileNotFoundError(
            f'{place} has no {FILE}; name its folder, or fetch it once with: python -c "{FETCH}"'
        ) from error
    return np.rint(turn_upright(faces.images) * 255).astype(np.uint8), faces.target


def turn_upright(faces: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h w"]:
    """The faces, mirrored at the diagonal if they lie on their side, as in some copies of the file.

    A face is more alike from left to right than from top to bottom.
    """
    mean = faces.mean(0)
    lying = np.abs(mean - mean[:, ::-1]).sum() > np.abs(mean - mean[::-1]).sum()
    return faces.transpose(0, 2, 1) if lying else faces
