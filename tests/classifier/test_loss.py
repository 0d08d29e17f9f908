import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cellxai.classifier.loss import (
    LossSettings,
    Mixture,
    cross_entropy,
    draw_mixture,
    mix,
    mixed_cross_entropy,
    total_weight,
)

PARTNERS = torch.tensor([2, 0, 1, 3])


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.tensor([0, 2, 1, 1])


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (4, 7)])
def test_a_whole_share_leaves_the_images_as_they_are(shape):
    inputs = torch.rand(shape)
    assert torch.equal(mix(inputs, Mixture(PARTNERS, 1.0)), inputs)


def test_each_image_is_mixed_with_its_partner_by_the_share():
    inputs = torch.rand(4, 3, 2, 2)
    found = mix(inputs, Mixture(PARTNERS, 0.7))
    for i, partner in enumerate(PARTNERS.tolist()):
        torch.testing.assert_close(found[i], 0.7 * inputs[i] + 0.3 * inputs[partner])


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_whole_share_gives_the_plain_loss(logits, labels, weights, smoothing):
    found = mixed_cross_entropy(logits, labels, Mixture(PARTNERS, 1.0), weights, smoothing)
    assert torch.equal(found, cross_entropy(logits, labels, weights, smoothing))


def test_class_weights_weigh_an_image_and_not_the_terms_of_its_smoothed_label(logits, labels):
    weights = torch.tensor([1.0, 20.0, 0.5])
    logs, smooth = logits.log_softmax(1), F.one_hot(labels, 3) * 0.7 + 0.3 / 3
    of_images = [float(-(smooth[i] * logs[i]).sum()) for i in range(4)]
    shares = [float(weights[label]) for label in labels]
    expected = sum(w * x for w, x in zip(shares, of_images, strict=True)) / sum(shares)
    assert float(cross_entropy(logits, labels, weights, 0.3)) == pytest.approx(expected)


def test_a_weighted_smoothed_loss_is_least_where_every_image_has_its_own_class():
    labels = torch.tensor([0] * 20 + [1])
    weights = torch.tensor([21 / 40, 21 / 2])
    right = 3.0 * F.one_hot(labels, 2).float()
    all_rare = 3.0 * F.one_hot(torch.ones_like(labels), 2).float()
    assert cross_entropy(right, labels, weights, 0.1) < cross_entropy(
        all_rare, labels, weights, 0.1
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 20.0, 0.5])])
def test_batches_by_their_weight_give_the_loss_of_the_whole(logits, labels, weights, smoothing):
    parts = [(logits[:3], labels[:3]), (logits[3:], labels[3:])]
    means = [cross_entropy(*part, weights, smoothing) for part in parts]
    totals = [total_weight(part[1], weights) for part in parts]
    whole = sum(m * n for m, n in zip(means, totals, strict=True)) / sum(totals)
    torch.testing.assert_close(whole, cross_entropy(logits, labels, weights, smoothing))


def test_the_loss_of_mixed_images_is_that_of_mixed_labels(logits, labels):
    found = mixed_cross_entropy(logits, labels, Mixture(PARTNERS, 0.6), None, 0.0)
    hot = F.one_hot(labels, 3).float()
    torch.testing.assert_close(found, F.cross_entropy(logits, 0.6 * hot + 0.4 * hot[PARTNERS]))


@given(seed=st.integers(0, 2**31), alpha=st.floats(0.05, 5.0), n=st.integers(1, 40))
def test_a_drawn_share_is_a_half_or_more_and_partners_are_a_permutation(seed, alpha, n):
    torch.manual_seed(seed)
    mixture = draw_mixture(n, alpha)
    assert 0.5 <= mixture.share <= 1.0
    assert sorted(mixture.partners.tolist()) == list(range(n))


def test_what_is_drawn_follows_from_torchs_seed():
    torch.manual_seed(3)
    one = draw_mixture(5, 0.2)
    torch.manual_seed(3)
    other = draw_mixture(5, 0.2)
    assert one.share == other.share
    assert torch.equal(one.partners, other.partners)


@pytest.mark.parametrize("wrong", [{"label_smoothing": 1.0}, {"mixup_alpha": -0.1}])
def test_settings_out_of_range_are_named(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name}={value}: expected"):
        LossSettings(**wrong)
