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
        n_left_out: Number of samples that are not drawn, since a value of theirs is missing.
    """

    out: Path
    n_left_out: int = 0

    def __str__(self) -> str:
        """One or two lines."""
        left_out = f"left out {self.n_left_out} samples with missing values\n"
        return f"{left_out if self.n_left_out else ''}wrote {self.out}"


def plot(mixture: Path, x: Path, out: Path) -> PlotResult:
    """Draws samples under the ellipses of a mixture's components.

    Args:
        mixture: A mixture from fit or sweep.
        x: Samples in rows: .npy, .csv or .safetensors. Those with missing values are not drawn,
            where the mixture was fitted with missing=marginalize.
        out: The picture; its suffix chooses the format, such as .png, .svg or .pdf.

    Raises:
        FileNotFoundError: If there is no file mixture or x.
        ValueError: If a file cannot be used or has another number of columns than the mixture, or
            if every sample has missing values.
    """
    import numpy as np

    from gmm.persistence import load, mixture_of
    from gmm.plots.mixture import plot_mixture
    from gmm.plots.style import save_figure

    check_picture_path("out", out)
    fitted = mixture_of(load(mixture))
    samples = read_like(x, fitted, mixture)
    drawn = samples
    if fitted.missing == "marginalize":
        drawn = samples[~np.isnan(samples).any(1)]
    if not len(drawn):
        raise ValueError(
            f"{x}: every one of {len(samples)} samples has missing values, expected some to draw "
            f"without; fill them in"
        )
    save_figure(plot_mixture(fitted, drawn), out)
    return PlotResult(out, len(samples) - len(drawn))
