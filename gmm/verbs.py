"""The verbs of the command line, as functions: files in, files out, a short summary back.

Torch is imported inside the functions, so that ``gmm fit --help`` answers without it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm.options import CovarianceType, Criterion, FloatType, InitMethod
from gmm.results import FitResult, PlotResult, SampleResult, ScoreResult, SweepResult

if TYPE_CHECKING:
    from torch import Tensor

    from gmm.anomaly import DensityThreshold

DEFAULT_PERCENT = 4.0  # of new samples, flagged by held-out ones
LARGEST_LOADED_BYTES = 2**30  # of a file to fit, of which k-means makes a second copy


def fit(
    x: Path,
    out: Path,
    n_components: int = 1,
    covariance_type: CovarianceType = "full",
    rank: int = 8,
    n_init: int = 1,
    init_params: InitMethod = "kmeans",
    seed: int = 0,
    reg_covar: float = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    percent: float | None = None,
    dtype: FloatType | None = None,
    device: str | None = None,
) -> FitResult:
    """Fits one mixture to a matrix of samples.

    Args:
        x: Samples in rows: .npy, .csv or .safetensors. A .npy or .safetensors file above 1 GiB is
            not loaded but read at every iteration, unless percent is given.
        out: The mixture, .safetensors.
        n_components: Gaussians in the mixture.
        covariance_type: Shape of their covariances.
        rank: Columns of the loadings of low_rank.
        n_init: Restarts, all in one batch; the best is kept.
        init_params: Where EM starts.
        seed: The same seed gives the same mixture.
        reg_covar: Added to every variance, in squared units of x.
        tol: EM stops when the mean log density changes by less, in nats.
        max_iter: Iterations at most.
        percent: Save with it a threshold that flags this share of new samples, in percent, such as
            4. It is set by cross-validation, which fits five more mixtures.
        dtype: Precision of samples and mixture; that of the file unless given.
        device: Where to compute, such as cuda.

    Raises:
        FileNotFoundError: If there is no file x.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.detector import DensityDetector
    from gmm.estimator import GaussianMixture
    from gmm.persistence import save

    _check_mixture_path(out)
    samples = _stream(x) if percent is None and _is_large(x) else _samples(x, dtype, device)
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        rank=rank,
        n_init=n_init,
        init_params=init_params,
        random_state=seed,
        reg_covar=reg_covar,
        tol=tol,
        max_iter=max_iter,
        device=device,
        dtype=dtype,
    )
    threshold = None
    if percent is None:
        save(mixture.fit(samples), out)
    else:
        detector = DensityDetector(mixture, percent=percent, random_state=seed).fit(samples)
        save(detector, out)
        mixture, threshold = detector.mixture_, str(detector.threshold_)
    return FitResult(
        out=out,
        n_samples=round(mixture.n_samples_seen_),
        n_features=mixture.n_features_in_,
        n_components=n_components,
        covariance_type=covariance_type,
        lower_bound=mixture.lower_bound_,
        n_iter=mixture.n_iter_,
        converged=mixture.converged_,
        bic=mixture.bic(samples),
        threshold=threshold,
    )


def sweep(
    x: Path,
    out: Path,
    min_components: int = 1,
    max_components: int = 10,
    covariance_types: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical"),
    criterion: Criterion = "bic",
    n_folds: int | None = None,
    n_init: int = 10,
    seed: int = 0,
    rank: int = 8,
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
        n_folds: Parts of which each is held out once; this fits everything as many times more. None
            unless given, but 5 for the criterion held_out.
        n_init: Restarts of each, all in one batch.
        seed: The same seed gives the same sweep.
        rank: Columns of the loadings of low_rank.
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
        n_folds=n_folds,
        seed=seed,
        rank=rank,
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
    percent: float | None = None,
    threshold_nats: float | None = None,
    device: str | None = None,
) -> ScoreResult:
    """Writes the log density of each sample in nats, and whether it is an outlier.

    Args:
        mixture: A mixture from fit or sweep.
        x: Samples in rows: .npy, .csv or .safetensors.
        out: One row per sample: .npy, .csv or .safetensors. Its columns are log_density_nats,
            component, and where there is a threshold also outlier (1 or 0).
        held_out: Samples that the mixture was not fitted to; they set the threshold. Without them
            it is the one that fit saved when it was given percent.
        percent: Share of new samples to flag, in percent, by the held-out samples of this call or
            else of fit. 4 with held_out, and that of fit without, unless given.
        threshold_nats: The threshold itself, instead of held_out and percent.
        device: Where to compute, such as cuda.

    Raises:
        FileNotFoundError: If there is no file mixture, x or held_out.
        ValueError: If a file cannot be used or has another number of columns than the mixture, or
            if there are no held-out samples for percent.
    """
    from gmm.matrices import read_matrix, write_columns
    from gmm.persistence import load, mixture_of

    loaded = load(mixture, device=device)
    threshold = _threshold(loaded, held_out, percent, threshold_nats)
    samples = read_matrix(x)
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
    from gmm.persistence import load, mixture_of

    drawn, _ = mixture_of(load(mixture)).set_params(random_state=seed).sample(n_samples)
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
    from gmm.persistence import load, mixture_of
    from gmm.plots import save_figure
    from gmm.plots_mixture import plot_mixture

    save_figure(plot_mixture(mixture_of(load(mixture)), read_matrix(x)), out)
    return PlotResult(out)


def _threshold(
    loaded: Any, held_out: Path | None, percent: float | None, threshold_nats: float | None
) -> "DensityThreshold | None":
    """The threshold that was asked for, or the one in the file, or none."""
    from gmm.anomaly import DensityThreshold, density_threshold
    from gmm.matrices import read_matrix

    if threshold_nats is not None:
        for name, value in {"held_out": held_out, "percent": percent}.items():
            if value is not None:
                raise ValueError(
                    f"{name}={value} and threshold_nats={threshold_nats}, expected one of them; "
                    f"leave one out"
                )
        return DensityThreshold(threshold_nats)
    if held_out is not None:
        scores = loaded.score_samples(read_matrix(held_out))
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


def _samples(path: Path, dtype: FloatType | None, device: str | None) -> "Tensor":
    import torch

    from gmm.matrices import read_matrix

    samples = torch.from_numpy(read_matrix(path))
    return samples.to(device, None if dtype is None else getattr(torch, dtype))


def _is_large(path: Path) -> bool:
    streamable = path.suffix.lower() in (".npy", ".safetensors")
    return streamable and path.is_file() and path.stat().st_size > LARGEST_LOADED_BYTES


def _stream(path: Path) -> Any:
    from gmm.chunks import Chunks

    return Chunks(path)


def _check_mixture_path(path: Path) -> None:
    # Before the work, not after it.
    if path.suffix != ".safetensors":
        raise ValueError(f"out={path}, expected a name that ends in .safetensors")
