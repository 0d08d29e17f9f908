import torch

from cellxai.explain.baselines import InpaintBaseline
from cellxai.explain.inpainting import conjugate_gradients


def test_in_painting_continues_a_slope_through_every_superpixel():
    # A plane is harmonic: it is its own in-painting where the border of the image is not touched.
    place = torch.arange(16.0)
    image = (0.2 + 0.02 * place[:, None] + 0.01 * place).expand(1, 1, -1, -1).double()
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[0, 4:9, 3:8], labels[0, 10:13, 9:14] = 1, 2
    filled = InpaintBaseline().fill(image, labels)
    inner = labels[0] > 0
    torch.testing.assert_close(filled[0, 0][inner], image[0, 0][inner], rtol=0, atol=1e-4)


def test_in_painting_does_not_see_what_it_replaces(images, quarters):
    labels = quarters.expand(3, -1, -1)
    changed = torch.where(labels[:, None] == 2, 1 - images, images)
    before, after = (InpaintBaseline().fill(x, labels) for x in (images, changed))
    own = (labels == 2)[:, None].expand_as(images)
    torch.testing.assert_close(before[own], after[own], rtol=0, atol=1e-3)
    assert not torch.allclose(before[~own], after[~own])


def test_the_whole_image_as_one_superpixel_is_in_painted_with_its_mean(images):
    filled = InpaintBaseline().fill(images, torch.zeros(3, 16, 16, dtype=torch.long))
    expected = images.mean((-1, -2), keepdim=True).expand_as(images)
    torch.testing.assert_close(filled, expected)


def test_conjugate_gradients_equal_a_dense_solver_for_every_plane_alone():
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(16, 16, generator=generator, dtype=torch.float64)
    matrix = half @ half.T + 16 * torch.eye(16)
    right_side = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64)

    def apply(planes):
        return (planes.flatten(2) @ matrix).view_as(planes)

    solved = conjugate_gradients(apply, right_side, torch.zeros_like(right_side))
    expected = torch.linalg.solve(matrix, right_side.flatten(2).mT).mT.view_as(right_side)
    torch.testing.assert_close(solved, expected, rtol=0, atol=1e-5)
    alone = conjugate_gradients(apply, right_side[1:], torch.zeros_like(right_side[1:]))
    torch.testing.assert_close(solved[1:], alone, rtol=0, atol=1e-12)
