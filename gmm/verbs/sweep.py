"""``gmm sweep``: many numbers of components and covariance types, of which the best is kept.

Torch is imported inside the functions, so that ``gmm sweep --help`` answers without it.
"""

from dataclasses import dataclass
from pathlib import Path

from gmm.options import CovarianceType, Criterion, FloatType, InitMethod, Missing, Regulariser
from gmm.verbs.inputs import (
    check_mixture_path,
    check_picture_path,
    check_seed,
    check_suffix,
    read_samples,
)


@dataclass(frozen=True)
class SweepResult:
    """A sweep whose winner was saved.

    Args:
        out: The winner's file.
        table: The file of all candidates as CSV, if asked for.
        picture: The file of the criterion's curves, if asked for.
        summary: The table to print.
        n_components: Number of components of the winner.
        covariance_type: Shape of the winner's covariances.
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


def sweep(
    x: Path,
    out: Path,
    min_components: int = 1,
    max_components: int = 10,
    covariance_types: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical"),
    criterion: Criterion = "bic",
    n_folds: int | None = None,
    n_init: int = 10,
    init_params: tuple[InitMethod, ...] = ("kmeans", "scaled_kmeans"),
    seed: int = 0,
    rank: int = 8,
    reg_covar: Regulariser = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    table: Path | None = None,
    picture: Path | None = None,
    dtype: FloatType | None = None,
    device: str | None = None,
    missing: Missing = "error",
) -> SweepResult:
    """Fits many numbers of components with many covariance types and keeps the best.

    Args:
        x: Samples in rows: .npy, .csv or .safetensors.
        out: The winning mixture, .safetensors.
        min_components: Least number of components to try.
        max_components: Greatest number of components to try.
        covariance_types: Shapes to try.
        criterion: The criterion that the winner has least of.
        n_folds: Number of parts, each of which is held out once; every candidate is fitted as many
            times more. By default 5 for the criterion held_out, and none for the others.
        n_init: Number of restarts of each candidate, all in one batch.
        init_params: Where EM starts, in turn over the restarts.
        seed: The same seed gives the same sweep.
        rank: Columns of the loadings of low_rank.
        reg_covar: Added to every variance, in squared units of x; auto is 1e-6, but between 1e-14
            and 1e-3 of the mean variance of a feature.
        tol: EM stops when the mean log density changes by less, in nats.
        max_iter: Largest number of iterations.
        table: Where to write all candidates as .csv; not written by default.
        picture: Where to draw the criterion, such as .png; not drawn by default.
        dtype: Precision of samples and mixture; by default that of the file.
        device: Where to compute, such as cuda.
        missing: What NaN and the empty cells of a .csv file are: a mistake, or values that are not
            known, by whose marginal densities samples are fitted.

    Raises:
        FileNotFoundError: If there is no file x.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.files.atomic import write_text
    from gmm.persistence import save
    from gmm.selection import sweep as select

    check_mixture_path(out)
    check_suffix("table", table, (".csv",))
    check_picture_path("picture", picture)
    check_seed(seed)
    if min_components > max_components:
        raise ValueError(
            f"min_components={min_components}, expected at most max_components={max_components}"
        )
    samples = read_samples(x, dtype, device, missing)
    outcome = select(
        samples,
        range(min_components, max_components + 1),
        covariance_types,
        n_init=n_init,
        init_params=init_params,
        criterion=criterion,
        n_folds=n_folds,
        seed=seed,
        rank=rank,
        reg_covar=reg_covar,
        tol=tol,
        max_iter=max_iter,
        missing=missing,
    )
    save(outcome.winner, out)
    if table is not None:
        write_text(table, outcome.csv())
    if picture is not None:
        from gmm.plots.criterion import plot_criterion
        from gmm.plots.style import save_figure

        save_figure(plot_criterion(outcome), picture)
    best = outcome.best
    return SweepResult(out, table, picture, str(outcome), best.n_components, best.covariance_type)
