"""What the verbs of the command line answer with: values, and the few lines that are printed."""

from dataclasses import dataclass
from pathlib import Path

from gmm.options import CovarianceType


@dataclass(frozen=True)
class FitResult:
    """A mixture that was fitted and saved.

    Args:
        out: The file.
        n_samples: Samples it was fitted to.
        n_features: Their dimension.
        n_components: Its components.
        covariance_type: Shape of its covariances.
        lower_bound: Mean log density of a training sample in nats.
        n_iter: EM iterations of the best run.
        converged: Whether it met ``tol``.
        bic: Its Bayesian information criterion; the lower the better.
        threshold: What flags outliers, in words, if a percentage was asked for.
    """

    out: Path
    n_samples: int
    n_features: int
    n_components: int
    covariance_type: CovarianceType
    lower_bound: float
    n_iter: int
    converged: bool
    bic: float
    threshold: str | None = None

    def __str__(self) -> str:
        """Two or three lines."""
        end = "converged" if self.converged else "did not converge"
        mixture = (
            f"{self.n_components} {self.covariance_type} components on {self.n_samples} x "
            f"{self.n_features}: {self.lower_bound:.6g} nats per sample, BIC {self.bic:.1f}, "
            f"{end} after {self.n_iter} iterations"
        )
        return "\n".join(filter(None, [mixture, self.threshold, f"wrote {self.out}"]))


@dataclass(frozen=True)
class SweepResult:
    """A sweep whose winner was saved.

    Args:
        out: The winner's file.
        table: All candidates as CSV, if asked for.
        picture: The criterion's curves, if asked for.
        summary: The table to print.
        n_components: Of the winner.
        covariance_type: Of the winner.
    """

    out: Path
    table: Path | None
    picture: Path | None
    summary: str
    n_components: int
    covariance_type: CovarianceType

    def __str__(self) -> str:
        """The table, and what was written."""
        written = [str(path) for path in (self.out, self.table, self.picture) if path]
        return f"{self.summary}\nwrote {', '.join(written)}"


@dataclass(frozen=True)
class ScoreResult:
    """Log densities that were written.

    Args:
        out: The file.
        n_samples: Rows scored.
        mean_nats: Their mean log density.
        least_nats: The smallest.
        threshold: What flags outliers, in words, if there is a threshold.
        n_flagged: How many it flags.
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


@dataclass(frozen=True)
class SampleResult:
    """Samples that were drawn and written.

    Args:
        out: The file.
        n_samples: How many.
    """

    out: Path
    n_samples: int

    def __str__(self) -> str:
        """One line."""
        return f"drew {self.n_samples} samples\nwrote {self.out}"


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
