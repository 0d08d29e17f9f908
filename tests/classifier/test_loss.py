import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cellxai.classifier.loss import (
    LossSettings,
    Mixture,
    draw_mixture,
    mix,
    mixed_cross_entropy,
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
    assert torch.equal(found, F.cross_entropy(logits, labels, weights, label_smoothing=smoothing))


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
