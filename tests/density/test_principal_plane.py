import pytest
import torch

from cellxai.density.pipeline import DensityPipeline
from cellxai.density.principal_plane import find_principal_plane
from cellxai.density.settings import PipelineSettings


@pytest.mark.parametrize("settings", [
    PipelineSettings(projection=2, n_components=(1,), covariance_types=("full",), n_init=1),
    PipelineSettings(projection=None, n_components=(2,), covariance_types=("full",)),
])  # fmt: skip
def test_contours_are_the_density_of_the_points_in_the_plane(image_set, settings):
    features = image_set(200).features
    fitted = features[torch.arange(200) % 4 != 0]
    plane = find_principal_plane(DensityPipeline(settings).fit(fitted))
    points = plane.points(features)
    assert float(plane.weights.sum()) == pytest.approx(1)
    mean = plane.weights @ plane.means
    deviations = plane.means - mean
    spread = torch.einsum("k,kij->ij", plane.weights, plane.covariances)
    spread = spread + (plane.weights[:, None] * deviations).T @ deviations
    torch.testing.assert_close(mean, points.mean(0), atol=0.2, rtol=0)
    torch.testing.assert_close(spread, points.T.cov(), atol=0.3, rtol=0.3)
    # The wider direction comes first.
    assert spread[0, 0] > spread[1, 1]
