"""``gmm score``: the log density of each sample, and which samples are outliers.

Torch is imported inside the functions, so that ``gmm score --help`` answers without it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm.options import Missing
from gmm.verbs.inputs import SAMPLE_SUFFIXES, check_suffix, read_like

if TYPE_CHECKING:
    import numpy as np

    from gmm.anomaly import DensityThreshold


DEFAULT_PERCENT = 4.0  # of new samples, flagged by held-out ones


@dataclass(frozen=True)
class ScoreResult:
    """Log densities that were written.

    Args:
        out: The file.
        n_samples: Number of samples.
        mean_nats: Their mean log density.
        least_nats: Their smallest log density.
        threshold: The threshold for outliers as a sentence, if there is one.
        n_flagged: Number of samples that it flags.
    """

    out: Path
    n_samples: int
    mean_nats: float
    least_nats: float
    threshold: str | None
    n_flagged: int

    def __str__(self) -> str:
        """Two or three lines."""
        lines = [
            f"{self.n_samples} samples: mean {self.mean_nats:.6g} nats, least {self.least_nats:.6g}"
        ]
        if self.threshold is not None:
            lines.append(f"{self.threshold}: {self.n_flagged} flagged")
        return "\n".join([*lines, f"wrote {self.out}"])


def score(
    mixture: Path,
    x: Path,
    out: Path,
    held_out: Path | None = None,
    percent: float | None = None,
    threshold_nats: float | None = None,
    device: str | None = None,
    missing: Missing | None = None,
) -> ScoreResult:
    """Writes the log density of each sample in nats, and whether it is an outlier.

    Args:
        mixture: A mixture from fit or sweep.
        x: Samples in rows: .npy, .csv or .safetensors.
        out: One row per sample: .npy, .csv or .safetensors. Its columns are log_density_nats,
            component, and where there is a threshold also outlier (1 or 0).
        held_out: Samples that the mixture was not fitted to; they set the threshold. Without them
            it is the one that fit saved when it was given percent.
        percent: Share of new samples to flag, in percent, judged by held_out or else by the samples
            that fit held out. By default 4 with held_out, and otherwise the percent of fit. With
            the samples of fit somewhat fewer are flagged, see gmm.DensityDetector.
        threshold_nats: The threshold itself, instead of held_out and percent.
        device: Where to compute, such as cuda.
        missing: What NaN and the empty cells of a .csv file are: a mistake, or values that are not
            known, by whose marginal densities samples are scored. By default what they were to fit.

    Raises:
        FileNotFoundError: If there is no file mixture, x or held_out.
        ValueError: If a file cannot be used or has another number of columns than the mixture, or
            if there are no held-out samples for percent.
    """
    from gmm.anomaly import check_percent
    from gmm.files.matrices import write_columns
    from gmm.persistence import load, mixture_of

    check_suffix("out", out, SAMPLE_SUFFIXES)
    for name, value in {"held_out": held_out, "percent": percent}.items():
        if value is not None and threshold_nats is not None:
            raise ValueError(
                f"{name}={value} and threshold_nats={threshold_nats}, expected one of them; "
                f"leave one out"
            )
    if percent is not None:
        check_percent(percent)
    loaded = load(mixture, device=device)
    if missing is not None:
        mixture_of(loaded).set_params(missing=missing)
    others = None if held_out is None else read_like(held_out, mixture_of(loaded), mixture)
    threshold = _threshold(loaded, others, percent, threshold_nats)
    samples = read_like(x, mixture_of(loaded), mixture)
    log_density = loaded.score_samples(samples)
    component = mixture_of(loaded).predict(samples)
    columns = {"log_density_nats": log_density, "component": component}
    if threshold is not None:
        columns["outlier"] = threshold.flags(log_density).astype(int)
    write_columns(out, columns)
    return ScoreResult(
        out=out,
        n_samples=len(samples),
        mean_nats=float(log_density.mean()),
        least_nats=float(log_density.min()),
        threshold=None if threshold is None else str(threshold),
        n_flagged=int(columns["outlier"].sum()) if threshold else 0,
    )


def _threshold(
    loaded: Any, held_out: "np.ndarray | None", percent: float | None, threshold_nats: float | None
) -> "DensityThreshold | None":
    """The threshold that was asked for, or the one in the file, or none."""
    from gmm.anomaly import DensityThreshold, density_threshold

    if threshold_nats is not None:
        return DensityThreshold(threshold_nats)
    if held_out is not None:
        scores = loaded.score_samples(held_out)
        return density_threshold(scores, DEFAULT_PERCENT if percent is None else percent)
    if percent is None:
        return getattr(loaded, "threshold_", None)
    scores = getattr(loaded, "held_out_scores_", ())
    if not len(scores):
        raise ValueError(
            f"percent={percent:g} needs held-out samples, and the file of the mixture has none; "
            f"pass held_out, or a mixture that gmm fit was given percent for"
        )
    return density_threshold(scores, percent)
