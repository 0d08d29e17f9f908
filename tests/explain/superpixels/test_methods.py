import pytest
import torch
from lime.wrappers.scikit_image import SegmentationAlgorithm

from cellxai.explain.superpixels.base import renumber, superpixel_means
from cellxai.explain.superpixels.methods import Felzenszwalb, Grid, Quickshift, Slic, Watershed

ALL = [
    Slic(n_segments=12),
    Quickshift(kernel_size=2.0, max_dist=20.0),
    Felzenszwalb(min_size_px=20),
    Watershed(n_segments=12),
    Grid(size_px=7),
]


@pytest.mark.parametrize("superpixels", ALL, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_labels_run_from_0_without_a_gap(superpixels, channels):
    images = torch.rand(2, channels, 24, 32, generator=torch.Generator().manual_seed(0))
    for labels in superpixels.segment(images):
        assert labels.shape == (24, 32)
        assert labels.unique().tolist() == list(range(int(labels.max()) + 1))
        assert labels.max() >= 1


@pytest.mark.parametrize("superpixels", ALL, ids=lambda s: type(s).__name__)
def test_the_same_image_is_always_cut_the_same_alone_or_in_a_batch(superpixels):
    images = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    together = superpixels.segment(images)
    alone = torch.cat([superpixels.segment(image) for image in images.split(1)])
    assert torch.equal(together, alone)


def test_a_grey_image_is_cut_like_its_three_equal_planes():
    grey = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Slic(9).segment(grey), Slic(9).segment(grey.expand(1, 3, -1, -1)))


@pytest.mark.parametrize(
    "superpixels",
    [Slic(n_segments=16, sigma_px=0.0), Felzenszwalb(sigma_px=0.0), Quickshift(2.0, 8.0, 1.0)],
    ids=lambda s: type(s).__name__,
)
def test_superpixels_follow_the_border_of_a_bright_square(superpixels):
    image = torch.zeros(1, 1, 32, 32)
    image[..., 5:19, 9:27] = 1.0
    labels = superpixels.segment(image)[0]
    purity = superpixel_means(image[0, 0], labels)
    assert torch.equal(purity, purity.round())


def test_quickshift_by_default_is_that_of_the_package_on_grey_images():
    segment = SegmentationAlgorithm(
        "quickshift", kernel_size=4, max_dist=200, ratio=0.2, random_seed=7
    )
    grey = torch.zeros(1, 3, 48, 48)  # equal pixels are ties, which the seed breaks
    grey[..., 10:30, 14:40] = 0.5
    labels = Quickshift().segment(grey)
    package = segment(grey[0].movedim(0, -1).double().numpy())
    assert torch.equal(labels, renumber(torch.from_numpy(package)[None]))
    assert not torch.equal(labels, Quickshift(seed=0).segment(grey))


def test_settings_reach_the_method():
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))

    def count(superpixels):
        return int(superpixels.segment(image).max()) + 1

    assert count(Watershed(n_segments=9)) < count(Watershed(n_segments=49))
    assert count(Felzenszwalb(min_size_px=20)) > count(Felzenszwalb(min_size_px=400))
    assert count(Felzenszwalb(scale=1.0)) > count(Felzenszwalb(scale=1000.0))
    smooth = Watershed(compactness=100.0).segment(image)
    assert not torch.equal(smooth, Watershed(compactness=0.0).segment(image))


def test_a_uniform_image_is_cut_too():
    assert Slic(n_segments=9).segment(torch.zeros(1, 1, 24, 24)).max() >= 1


def test_grid_cuts_squares_and_their_rest():
    expected = [[0, 0, 1], [0, 0, 1], [2, 2, 3]]
    assert Grid(size_px=2).segment(torch.zeros(1, 1, 3, 3))[0].tolist() == expected


def test_a_grid_without_a_side_is_refused():
    with pytest.raises(ValueError, match="size_px=0"):
        Grid(size_px=0)
