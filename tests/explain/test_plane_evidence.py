import pytest
import torch

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.base import Attribution, Context, attribution_of_planes
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.lime.lime import Lime
from cellxai.explain.plane_evidence import evidence_by_plane, why_no_planes


@pytest.fixture
def reads_second():
    """Scores that depend on the second plane alone."""
    return lambda batch: torch.stack([batch[:, 1].mean((1, 2)) * k for k in (3.0, 1.0, -2.0)], 1)


def test_all_the_evidence_is_in_the_plane_that_is_read(reads_second, images, targets, context):
    attribution = FeatureAblation(by_plane=True).attribute(reads_second, images, targets, context)
    evidence = evidence_by_plane(attribution, context.superpixels)
    torch.testing.assert_close(evidence.shares, torch.eye(3)[1].double().expand(3, -1))
    change = reads_second(images) - reads_second(context.baseline)
    torch.testing.assert_close(
        evidence.signed[:, 1].float(), change.gather(1, targets[:, None])[:, 0]
    )


def test_a_map_counts_by_superpixel_so_that_the_noise_of_pixels_cancels(context):
    planes = torch.zeros(3, 2, 16, 16)
    planes[:, 0, ::2], planes[:, 0, 1::2] = 1, -1  # nothing on any superpixel
    planes[:, 1, :8], planes[:, 1, 8:] = 1, -1  # as strong, for above and against below
    evidence = evidence_by_plane(attribution_of_planes(planes), context.superpixels)
    assert evidence.shares.tolist() == [[0, 1]] * 3
    assert evidence.signed.abs().max() == 0


def test_coefficients_count_once_whatever_the_area_of_their_superpixel(context):
    superpixels = context.superpixels.clone()
    superpixels[:, 0, 0] = 4  # of one pixel
    coefficients = torch.tensor([[1.0, 0, 0, 0, 2], [0, 0, 0, 1, 0]]).expand(3, -1, -1)
    attribution = Attribution(
        torch.zeros(3, 16, 16), plane_values=torch.zeros(3, 2, 16, 16),
        superpixel_plane_values=coefficients,
    )  # fmt: skip
    evidence = evidence_by_plane(attribution, superpixels)
    assert evidence.shares.tolist() == [[0.75, 0.25]] * 3


def test_padding_counts_nowhere_and_an_empty_map_has_no_share(net, images, targets, context):
    superpixels = context.superpixels.clone()
    superpixels[1] = 0
    fewer = Context(superpixels, context.baseline, seed=7, batch_size=4)
    attribution = FeatureAblation(by_plane=True).attribute(net, images, targets, fewer)
    evidence = evidence_by_plane(attribution, superpixels)
    torch.testing.assert_close(evidence.shares.sum(1), torch.ones(3).double())
    nothing = evidence_by_plane(attribution_of_planes(torch.zeros(3, 2, 16, 16)), superpixels)
    assert nothing.shares.isnan().all()


def test_who_has_no_planes_says_why():
    assert evidence_by_plane(Attribution(torch.ones(1, 4, 4)), torch.zeros(1, 4, 4).long()) is None
    assert "by_plane: true" in why_no_planes(Lime())
    assert "layer" in why_no_planes(GradCam())
