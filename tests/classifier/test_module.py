import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from cellxai.classifier.backbone import FeatureNetwork, TimmBackbone
from cellxai.classifier.module import (
    CellClassifier,
    HeadSettings,
    OptimiserSettings,
    balanced_weights,
)

HEADS = [HeadSettings(), HeadSettings(hidden=None), HeadSettings(hidden=8, dropout=0.0)]


class Mean(nn.Module):
    """Mean of each channel: [b 3 h w] to [b 3]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((-2, -1))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def classifier(head: HeadSettings = HeadSettings(), **settings) -> CellClassifier:
    network = FeatureNetwork(Mean(), 3, (0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    return CellClassifier(network, head, n_classes=4, **settings)


@pytest.mark.parametrize("head", HEADS)
def test_features_are_what_enters_the_last_layer(head, images):
    model = classifier(head).eval()
    seen = []
    last = model.head[-1]
    assert isinstance(last, nn.Linear)
    last.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    logits = model(images)
    assert torch.equal(seen[0], model.features(images))
    assert torch.equal(logits, last(model.features(images)))
    assert logits.shape == (5, 4)
    assert model.features(images).shape == (5, head.hidden or 3)


def test_the_head_is_the_notebooks_256_relu_dropout_or_plain():
    assert [type(layer) for layer in HeadSettings().build(10, 4)] == [
        nn.Linear, nn.ReLU, nn.Dropout, nn.Linear,
    ]  # fmt: skip
    assert HeadSettings().build(10, 4)[0].out_features == 256
    assert HeadSettings().build(10, 4)[2].p == 0.3
    assert [type(layer) for layer in HeadSettings(hidden=None).build(10, 4)] == [
        nn.Dropout, nn.Linear,
    ]  # fmt: skip


def test_images_are_normalised_inside_the_network(images):
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.25, 2.0])
    model = classifier(HeadSettings(hidden=None)).eval()
    expected = (images.mean((-2, -1)) - mean) / std
    torch.testing.assert_close(model.features(images), expected)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_a_network_of_timm_sees_its_own_normalisation(name, images):
    network = TimmBackbone(name).build(load_weights=True)
    model = CellClassifier(network, HeadSettings(hidden=None), n_classes=2).eval()
    images = nn.functional.interpolate(images, (160, 160))
    mean, std = (torch.tensor(x)[:, None, None] for x in (network.mean, network.std))
    with torch.inference_mode():
        assert torch.equal(model.features(images), network.module((images - mean) / std))


def test_balanced_weights_are_those_of_scikit_learn():
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    np.testing.assert_allclose(balanced_weights(labels, 3), expected, rtol=1e-6)


def test_a_class_without_training_images_has_a_finite_weight():
    assert balanced_weights(torch.tensor([0, 2]), 3).isfinite().all()


def test_class_weights_reach_the_loss_and_not_the_checkpoint(images):
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    model = classifier(class_weights=weights).eval()
    model.log_dict = lambda *_, **__: None  # no trainer is attached
    labels = torch.tensor([0, 1, 2, 3, 3])
    loss = model.shared_step("train", images, labels)
    expected = nn.functional.cross_entropy(model(images), labels, weight=weights)
    torch.testing.assert_close(loss, expected)
    assert model.state_dict().keys() == classifier().state_dict().keys()
    assert not {"mean", "std", "class_weights"} & model.state_dict().keys()


def test_the_optimiser_is_adamw_with_the_settings_given():
    settings = OptimiserSettings(0.02, 0.3, 0.5, 7, 0.001)
    found = classifier(optimiser=settings, monitor="train_loss").configure_optimizers()
    optimiser, schedule = found["optimizer"], found["lr_scheduler"]
    assert type(optimiser) is torch.optim.AdamW
    assert optimiser.param_groups[0]["lr"] == 0.02
    assert optimiser.param_groups[0]["weight_decay"] == 0.3
    plateau = schedule["scheduler"]
    assert (plateau.factor, plateau.patience, plateau.min_lrs) == (0.5, 7, [0.001])
    assert schedule["monitor"] == "train_loss"


def test_frozen_statistics_stay_those_of_the_loaded_weights_in_training():
    features = TimmBackbone("test_efficientnet").build(load_weights=False)
    classifier = CellClassifier(features, HeadSettings(), 2, frozen_statistics=True)
    before = {name: value.clone() for name, value in classifier.backbone.named_buffers()}
    classifier(torch.rand(4, 3, 32, 32))
    assert classifier.head.training
    assert before
    for name, value in classifier.backbone.named_buffers():
        assert torch.equal(value, before[name]), name
