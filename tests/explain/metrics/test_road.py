import pytest
import torch

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.road import NEIGHBOUR_WEIGHTS, Road, linear_imputation
from cellxai.explain.score import LogDensity, Scored


def test_imputation_equals_that_of_quantus_on_a_grey_image(quantus):
    removed = torch.zeros(64, dtype=torch.bool)
    removed[quantus.said["removed"]] = True
    actual = linear_imputation(quantus.images[:1], removed.view(1, 8, 8))
    torch.testing.assert_close(
        actual[0], torch.tensor(quantus.said["linear imputation"]).float(), atol=1e-4, rtol=0
    )


def slow_imputation(plane, removed):
    """One equation per removed pixel, solved densely."""
    h, w = plane.shape
    places = removed.nonzero().tolist()
    matrix, right = torch.zeros(2, len(places), len(places), dtype=torch.float64)
    right = right[:, 0].clone()
    for row, (y, x) in enumerate(places):
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                weight = NEIGHBOUR_WEIGHTS[dy + 1][dx + 1]
                if not weight or not (0 <= y + dy < h and 0 <= x + dx < w):
                    continue
                matrix[row, row] += weight
                if removed[y + dy, x + dx]:
                    matrix[row, places.index([y + dy, x + dx])] -= weight
                else:
                    right[row] += weight * plane[y + dy, x + dx]
    filled = plane.clone()
    filled[removed] = torch.linalg.solve(matrix, right).to(plane)
    return filled


def test_every_channel_of_every_image_equals_a_dense_solution(images):
    removed = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.7
    actual = linear_imputation(images, removed)
    for i in range(3):
        for channel in range(3):
            expected = slow_imputation(images[i, channel], removed[i])
            torch.testing.assert_close(actual[i, channel], expected, rtol=0, atol=1e-4)


def test_a_constant_image_is_imputed_by_itself(images):
    grey = torch.full_like(images, 0.3)
    removed = torch.rand(3, 16, 16) < 0.9
    torch.testing.assert_close(linear_imputation(grey, removed), grey)


def test_the_score_is_the_share_of_removals_that_the_prediction_survives(images, context):
    """The class changes when the brightest pixel of a corner goes: the map knows or does not."""
    images = torch.full_like(images, 0.4)
    images[:, :, 2, 2] = 1.0

    def model(batch):
        seen = (batch[:, 0, 2, 2] > 0.9).float()
        return torch.stack([seen, 1 - seen], 1)

    knows, knows_not = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5
    knows[:, 2, 2], knows_not[:, 2, 2] = 1.0, -1.0
    targets = torch.zeros(3, dtype=torch.long)
    case = Case(model, images, targets, context)
    assert Road().score(case, Attribution(knows)).tolist() == [0, 0, 0]
    assert Road().score(case, Attribution(knows_not)).tolist() == [1, 1, 1]


def test_noise_is_the_same_in_any_batch_and_falls_on_removed_pixels_alone(images, context, values):
    batches = []

    def model(batch):
        batches.append(batch)
        return torch.zeros(len(batch), 2)

    targets = torch.zeros(3, dtype=torch.long)
    Road((0.5,)).score(Case(model, images, targets, context), Attribution(values))
    alone = type(context)(context.superpixels[1:2], context.baseline[1:2])
    case = Case(model, images[1:2], targets[:1], alone)
    Road((0.5,)).score(case, Attribution(values[1:2]))
    torch.testing.assert_close(batches[0][1], batches[1][0])
    changed = (batches[1][0] != images[1]).any(0)
    assert changed.sum() == 128
    assert values[1][changed].min() > values[1][~changed].max()


def test_shares_that_remove_nothing_or_all_are_errors():
    with pytest.raises(ValueError, match="shares"):
        Road((0.5, 1.0))


def test_a_score_without_classes_predicts_none(net, images, targets, context, values):
    model = Scored(net, LogDensity(lambda features: features.sum(1)))
    case = Case(model, images, targets, context)
    with pytest.raises(ValueError, match="a score of the image alone predicts none; leave it out"):
        Road().score(case, Attribution(values))
