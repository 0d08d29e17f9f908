import numpy as np
import pytest
from matplotlib.colors import to_hex

from gmm.estimator import GaussianMixture
from gmm.plots.density import plot_density
from gmm.plots.style import ALARM


def contour_vertices(axes, colour: str) -> list[np.ndarray]:
    """The points of all contour lines of a colour, a line each."""
    drawn = [part for part in axes.collections if hasattr(part, "levels") and not part.filled]
    drawn = [part for part in drawn if to_hex(part.get_edgecolor()[0]) == colour.lower()]
    return [path.vertices for part in drawn for path in part.get_paths() if len(path.vertices)]


def test_samples_below_the_threshold_are_marked(mixture, plane):
    scores = mixture.score_samples(plane)
    threshold = float(np.percentile(scores, 4))
    axes = plot_density(mixture, plane, threshold_nats=threshold)
    outliers = {tuple(sample) for sample in plane[scores < threshold]}
    marked = [{tuple(place) for place in part.get_offsets()} for part in axes.collections]
    assert outliers in marked
    assert f"{len(outliers)} outliers of {len(plane)}" in axes.get_title("left")


def test_a_decision_boundary_lies_where_two_components_are_equally_probable(mixture, plane):
    lines = contour_vertices(plot_density(mixture, plane), ALARM)
    shares = np.sort(mixture.predict_proba(np.concatenate(lines)), 1)
    assert np.median(shares[:, -1] - shares[:, -2]) < 0.02


def test_the_density_contours_leave_their_percentages_outside(mixture, plane):
    levels = next(part.levels for part in plot_density(mixture, plane).collections
                  if hasattr(part, "levels"))  # fmt: skip
    outside = [(mixture.score_samples(plane) < level).mean() for level in levels[:-1]]
    np.testing.assert_allclose(outside, [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95],
                               atol=1.5 / len(plane))  # fmt: skip


def test_a_density_of_more_than_two_features_is_refused(blobs):
    fitted = GaussianMixture().fit(blobs)
    with pytest.raises(ValueError, match=r"^x has shape \(450, 4\), expected two features"):
        plot_density(fitted, blobs)
