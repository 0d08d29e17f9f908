"""``gmm plot``: a picture of samples under the components of a mixture.

Torch is imported inside the functions, so that ``gmm plot --help`` answers without it.
"""

from dataclasses import dataclass
from pathlib import Path

from gmm.verbs.inputs import check_picture_path, read_like


@dataclass(frozen=True)
class PlotResult:
    """A picture that was written.

    Args:
        out: The file.
    """

    out: Path

    def __str__(self) -> str:
        """One line."""
        return f"wrote {self.out}"


def plot(mixture: Path, x: Path, out: Path) -> PlotResult:
    """Draws samples under the ellipses of a mixture's components.

    Args:
        mixture: A mixture from fit or sweep.
        x: Samples in rows: .npy, .csv or .safetensors.
        out: The picture; its suffix chooses the format, such as .png, .svg or .pdf.

    Raises:
        FileNotFoundError: If there is no file mixture or x.
        ValueError: If a file cannot be used or has another number of columns than the mixture.
    """
    from gmm.persistence import load, mixture_of
    from gmm.plots.mixture import plot_mixture
    from gmm.plots.style import save_figure

    check_picture_path("out", out)
    fitted = mixture_of(load(mixture))
    save_figure(plot_mixture(fitted, read_like(x, fitted, mixture)), out)
    return PlotResult(out)
