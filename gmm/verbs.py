"""The verbs of the command line, as functions: files in, files out, a short summary back.

Torch is imported inside the functions, so that ``gmm fit --help`` answers without it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from gmm.options import CovarianceType, Criterion, FloatType, InitMethod
from gmm.results import FitResult, PlotResult, SampleResult, ScoreResult, SweepResult

if TYPE_CHECKING:
    from torch import Tensor


def fit(
    x: Path,
    out: Path,
    n_components: int = 1,
    covariance_type: CovarianceType = "full",
    n_init: int = 1,
    init_params: InitMethod = "kmeans",
    seed: int = 0,
    reg_covar: float = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    dtype: FloatType | None = None,
    device: str | None = None,
) -> FitResult:
    """Fits one mixture to a matrix of samples.

    Args:
        x: Samples in rows: .npy, .csv or .safetensors.
        out: The mixture, .safetensors.
        n_components: Gaussians in the mixture.
        covariance_type: Shape of their covariances.
        n_init: Restarts, all in one batch; the best is kept.
        init_params: Where EM starts.
        seed: The same seed gives the same mixture.
        reg_covar: Added to every variance, in squared units of x.
        tol: EM stops when the mean log density changes by less, in nats.
        max_iter: Iterations at most.
        dtype: Precision of samples and mixture; that of the file unless given.
        device: Where to compute, such as cuda.

    Raises:
        FileNotFoundError: If there is no file x.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.estimator import GaussianMixture
    from gmm.persistence import save

    _check_mixture_path(out)
    samples = _samples(x, dtype, device)
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        n_init=n_init,
        init_params=init_params,
        random_state=seed,
        reg_covar=reg_covar,
        tol=tol,
        max_iter=max_iter,
    ).fit(samples)
    save(mixture, out)
    return FitResult(
        out=out,
        n_samples=len(samples),
        n_features=samples.shape[1],
        n_components=n_components,
        covariance_type=covariance_type,
        lower_bound=mixture.lower_bound_,
        n_iter=mixture.n_iter_,
        converged=mixture.converged_,
        bic=mixture.bic(samples),
    )


def sweep(
    x: Path,
    out: Path,
    min_components: int = 1,
    max_components: int = 10,
    covariance_types: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical"),
    criterion: Criterion = "bic",
    n_init: int = 10,
    seed: int = 0,
    reg_covar: float = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    table: Path | None = None,
    picture: Path | None = None,
    dtype: FloatType | None = None,
    device: str | None = None,
) -> SweepResult:
    """Fits many numbers of components with many covariance types and keeps the best.

    Args:
        x: Samples in rows: .npy, .csv or .safetensors.
        out: The winning mixture, .safetensors.
        min_components: Least number of components to try.
        max_components: Greatest number of components to try.
        covariance_types: Shapes to try.
        criterion: What the winner has least of.
        n_init: Restarts of each, all in one batch.
        seed: The same seed gives the same sweep.
        reg_covar: Added to every variance, in squared units of x.
        tol: EM stops when the mean log density changes by less, in nats.
        max_iter: Iterations at most.
        table: Where to write all candidates as .csv; nowhere unless given.
        picture: Where to draw the criterion, such as .png; nowhere unless given.
        dtype: Precision of samples and mixture; that of the file unless given.
        device: Where to compute, such as cuda.

    Raises:
        FileNotFoundError: If there is no file x.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.persistence import save, write_text
    from gmm.selection import sweep as select

    _check_mixture_path(out)
    samples = _samples(x, dtype, device)
    found = select(
        samples,
        range(min_components, max_components + 1),
        covariance_types,
        n_init=n_init,
        criterion=criterion,
        seed=seed,
        reg_covar=reg_covar,
        tol=tol,
        max_iter=max_iter,
    )
    save(found.winner, out)
    if table is not None:
        write_text(table, found.csv())
    if picture is not None:
        from gmm.plots import plot_criterion, save_figure

        save_figure(plot_criterion(found), picture)
    best = found.best
    return SweepResult(out, table, picture, str(found), best.n_components, best.covariance_type)


def score(
    mixture: Path,
    x: Path,
    out: Path,
    held_out: Path | None = None,
    percent: float = 4.0,
    device: str | None = None,
) -> ScoreResult:
    """Writes the log density of each sample in nats, and whether it is an outlier.

    Args:
        mixture: A mixture from fit or sweep.
        x: Samples in rows: .npy, .csv or .safetensors.
        out: One row per sample: .npy, .csv or .safetensors. Its columns are log_density_nats,
            component, and with held_out also outlier (1 or 0).
        held_out: Samples that the mixture was not fitted to; they set the threshold.
        percent: How many of the held-out samples lie below the threshold.
        device: Where to compute, such as cuda.

    Raises:
        FileNotFoundError: If there is no file mixture, x or held_out.
        ValueError: If a file cannot be used or has another number of columns than the mixture.
    """
    from gmm.anomaly import density_threshold
    from gmm.matrices import read_matrix, write_columns
    from gmm.persistence import load

    loaded = load(mixture, device=device)
    samples = read_matrix(x)
    log_density = loaded.score_samples(samples)
    columns = {"log_density_nats": log_density, "component": loaded.predict(samples)}
    threshold = None
    if held_out is not None:
        threshold = density_threshold(loaded.score_samples(read_matrix(held_out)), percent)
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


def sample(mixture: Path, out: Path, n_samples: int = 100, seed: int = 0) -> SampleResult:
    """Draws samples from a mixture.

    Args:
        mixture: A mixture from fit or sweep.
        out: Samples in rows: .npy, .csv or .safetensors.
        n_samples: How many to draw.
        seed: The same seed gives the same samples.

    Raises:
        FileNotFoundError: If there is no file mixture.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.matrices import write_columns
    from gmm.persistence import load

    drawn, _ = load(mixture).set_params(random_state=seed).sample(n_samples)
    write_columns(out, {f"feature_{d}": column for d, column in enumerate(drawn.T)})
    return SampleResult(out, n_samples)


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
    from gmm.matrices import read_matrix
    from gmm.persistence import load
    from gmm.plots import plot_mixture, save_figure

    save_figure(plot_mixture(load(mixture), read_matrix(x)), out)
    return PlotResult(out)


def _samples(path: Path, dtype: FloatType | None, device: str | None) -> "Tensor":
    import torch

    from gmm.matrices import read_matrix

    samples = torch.from_numpy(read_matrix(path))
    return samples.to(device, None if dtype is None else getattr(torch, dtype))


def _check_mixture_path(path: Path) -> None:
    # Before the work, not after it.
    if path.suffix != ".safetensors":
        raise ValueError(f"out={path}, expected a name that ends in .safetensors")
