"""What makes the scores of ``density`` less trustworthy, one line each."""

from cellxai.density.rounds import Round
from cellxai.trained.image_sets import FeatureSource


def fit_warnings(final: Round, n_judged: int) -> list[str]:
    """Warnings of a mixture, of its threshold, and of a threshold that nothing tests."""
    fitted, calibration = final.pipeline.fitted_, final.pipeline.calibration_
    n_dimensions = fitted.projection.n_dimensions
    warnings = []
    if fitted.least_samples < n_dimensions:
        warnings.append(
            f"{fitted.least_samples:.0f} training images per component in "
            f"{count_noun(n_dimensions, 'dimension')}: the mixture memorises them; lower "
            "--pipeline.projection or --pipeline.n_components"
        )
    if calibration.threshold.unresolved is not None:
        warnings.append(
            f"{calibration.threshold.unresolved}, so no image is flagged for its density"
        )
    if not n_judged:
        warnings.append(
            "no image is left that neither fitted the mixture nor set the threshold, so nothing "
            "shows what the threshold does to new images; hold out a test part, or pass --folds"
        )
    return warnings


def class_warnings(source: FeatureSource, left_out_class: str | None) -> list[str]:
    """The warning that a class which is left out is not a class that nobody knew."""
    if left_out_class is None or source.unseen:
        return []
    return [
        f"the network was trained to tell {left_out_class!r} from the others, and its features "
        "know that class; for one that nothing knows, fit without it and name its images by "
        "--unfamiliar, or train the head alone"
    ]


def count_noun(count: int, noun: str) -> str:
    """A count with its noun: ``1 component``, ``2 components``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
