from types import SimpleNamespace

import pytest
import torch
from torch import nn

from cellxai.classifier.backbone import FeatureNetwork, TimmBackbone
from cellxai.classifier.loss import LossSettings
from cellxai.classifier.module import CellClassifier, HeadSettings
from cellxai.classifier.optimiser import OptimiserSettings

HEADS = [HeadSettings(), HeadSettings(hidden=None), HeadSettings(hidden=8, dropout=0.0)]


LABELS = torch.tensor([0, 1, 2, 3, 3])


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


def test_class_weights_reach_the_loss_and_not_the_checkpoint(images):
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    model = classifier(class_weights=weights).eval()
    model.log_dict = lambda *_, **__: None  # no trainer is attached
    expected = nn.functional.cross_entropy(model(images), LABELS, weight=weights)
    for step in (model.training_step, model.validation_step):
        torch.testing.assert_close(step((images, LABELS), 0), expected)
    assert model.state_dict().keys() == classifier().state_dict().keys()
    assert not {"mean", "std", "class_weights"} & model.state_dict().keys()


def test_training_smooths_labels_and_validation_does_not(images):
    model = classifier(loss=LossSettings(label_smoothing=0.2)).eval()
    model.log_dict = lambda *_, **__: None
    plain, smooth = (
        nn.functional.cross_entropy(model(images), LABELS, label_smoothing=share)
        for share in (0.0, 0.2)
    )
    torch.testing.assert_close(model.training_step((images, LABELS), 0), smooth)
    torch.testing.assert_close(model.validation_step((images, LABELS), 0), plain)


def test_training_mixes_images_as_torchs_seed_says_and_validation_does_not(images):
    model = classifier(loss=LossSettings(mixup_alpha=0.4)).eval()
    model.log_dict = lambda *_, **__: None
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(model.training_step((images, LABELS), 0).item())
    assert found[0] == found[1] != found[2]
    plain = nn.functional.cross_entropy(model(images), LABELS)
    torch.testing.assert_close(model.validation_step((images, LABELS), 0), plain)


def configured(model: CellClassifier, **trainer) -> dict:
    """What the classifier gives a trainer with these attributes."""
    settings = {"max_epochs": 5, "gradient_clip_val": None}
    model.trainer = SimpleNamespace(**(settings | trainer))  # pyright: ignore
    return model.configure_optimizers()


def test_the_optimiser_is_adamw_with_the_settings_given():
    settings = OptimiserSettings(0.02, 0.3, 0.5, 7, 0.001)
    found = configured(classifier(optimiser=settings))
    optimiser, schedule = found["optimizer"], found["lr_scheduler"]["scheduler"]
    assert type(optimiser) is torch.optim.AdamW
    assert optimiser.param_groups[0]["lr"] == 0.02
    assert optimiser.param_groups[0]["weight_decay"] == 0.3
    assert schedule.settings == settings
    assert schedule.n_epochs == 5


def test_a_warm_up_in_epochs_is_one_of_their_steps():
    settings = OptimiserSettings(warm_up_epochs=1.5)
    found = configured(classifier(optimiser=settings), estimated_stepping_batches=40)
    assert found["lr_scheduler"]["scheduler"].warm_up_steps == 12
    given = configured(classifier(optimiser=OptimiserSettings(warm_up_steps=7)))
    assert given["lr_scheduler"]["scheduler"].warm_up_steps == 7


def test_the_step_is_fused_unless_gradients_are_clipped():
    for clip in (None, 1.0):
        optimiser = configured(classifier(), gradient_clip_val=clip)["optimizer"]
        assert optimiser.defaults["fused"] == (clip is None)


def test_a_frozen_backbone_has_no_gradients_and_stays_in_evaluation_mode(images):
    network = TimmBackbone("test_efficientnet").build(load_weights=False)
    model = CellClassifier(network, HeadSettings(), 2, trainable="head")
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    assert not model.backbone.training
    assert model.head.training
    model(nn.functional.interpolate(images, (32, 32))).sum().backward()
    assert {p.grad is None for p in model.backbone.parameters()} == {True}
    assert {p.grad is None for p in model.head.parameters()} == {False}
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_with_a_frozen_backbone_a_batch_holds_its_features(images):
    model = classifier(HeadSettings(hidden=None, dropout=0.0), trainable="head")
    assert torch.equal(model.learnt(model.pooled(images)), model(images))


@pytest.mark.parametrize("state", ["state_dict", "current_model_state"])
def test_checkpoints_leave_out_a_frozen_backbone_and_take_that_of_the_network(state):
    network = TimmBackbone("test_efficientnet").build(load_weights=False)
    model = CellClassifier(network, HeadSettings(), 2, trainable="head")
    checkpoint = {state: model.state_dict()}
    model.on_save_checkpoint(checkpoint)
    assert {name.partition(".")[0] for name in checkpoint[state]} == {"head"}
    model.on_load_checkpoint(checkpoint)
    torch.testing.assert_close(checkpoint[state], dict(model.state_dict()), rtol=0, atol=0)
    whole = CellClassifier(network, HeadSettings(), 2)
    untouched = {state: whole.state_dict()}
    whole.on_save_checkpoint(untouched)
    assert untouched[state].keys() == whole.state_dict().keys()


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_compiled_network_in_half_precision_and_channels_last_gives_the_same_logits(memory):
    network = TimmBackbone("test_efficientnet").build(load_weights=False)
    model = CellClassifier(network, HeadSettings(), 2).eval()
    grey = torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8)
    images = grey.float().div(255).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        expected = model(images)
        model.to(memory_format=memory)  # pyright: ignore[reportCallIssue]
        model.backbone.compile(backend="eager")
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model(images).float(), expected, rtol=0.05, atol=0.05)
    assert model.mean.dtype == torch.float32
    assert not [name for name in model.state_dict() if "_orig_mod" in name]


def test_frozen_statistics_stay_those_of_the_loaded_weights_in_training():
    features = TimmBackbone("test_efficientnet").build(load_weights=False)
    classifier = CellClassifier(features, HeadSettings(), 2, frozen_statistics=True)
    before = {name: value.clone() for name, value in classifier.backbone.named_buffers()}
    classifier(torch.rand(4, 3, 32, 32))
    assert classifier.head.training
    assert before
    for name, value in classifier.backbone.named_buffers():
        assert torch.equal(value, before[name]), name
