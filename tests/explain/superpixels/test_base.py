import torch

from cellxai.explain.superpixels.base import paint, renumber, superpixel_means
from cellxai.explain.superpixels.methods import Grid


def test_labels_with_gaps_are_renamed_in_order_for_each_image_alone():
    labels = torch.tensor([[[3, 8], [13, 3]], [[-1, -1], [5, 5]]])
    assert renumber(labels).tolist() == [[[0, 1], [2, 0]], [[0, 0], [1, 1]]]


def test_superpixel_means_equal_a_slow_loop_and_painting_undoes_them():
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(2, 9, 9, generator=generator, dtype=torch.float64)
    labels = Grid(size_px=4).segment(torch.zeros(1, 1, 9, 9))[0]
    means = superpixel_means(values, labels)
    slow = torch.stack([values[:, labels == s].mean(1) for s in range(9)], dim=1)
    torch.testing.assert_close(means, slow, rtol=0, atol=1e-15)
    assert torch.allclose(superpixel_means(paint(means, labels), labels), means)
