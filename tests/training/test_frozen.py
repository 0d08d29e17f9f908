from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from cellxai.classifier.module import CellClassifier, HeadSettings, ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.pixels.transforms import augmentation_seed, to_tensor
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.training.frozen import CachedFeatures, pool_all
from cellxai.training.run_images import load_images
from cellxai.training.run_settings import RunSettings
from cellxai.verbs.fit import fit


@pytest.fixture
def frozen(settings):
    """Arguments of ``fit`` for a head on a frozen backbone."""

    def make(head: HeadSettings = HeadSettings(), **training: Any) -> dict[str, Any]:
        arguments = settings(**training)
        model = ModelSettings(arguments["model"].backbone, head, trainable="head")
        return arguments | {"model": model}

    return make


@pytest.fixture
def cached(frozen) -> CachedFeatures:
    """Three views of the images."""
    arguments = frozen()
    images, _ = load_images(RunSettings(run=Path("run"), seed=5, **arguments))
    network = arguments["model"].backbone.build(load_weights=True)
    classifier = CellClassifier(network, HeadSettings(), 2, trainable="head")
    return CachedFeatures(images, classifier, views=3)


def test_the_first_view_is_the_untouched_image_and_the_others_are_augmented(cached):
    images, classifier = cached.images, cached.classifier
    untouched = [batch for batch, _ in images.tensor_batches("train")]
    assert torch.equal(cached.features("train")[0], pool_all(classifier, iter(untouched)))
    stored = images.images("train")[2].permute(1, 2, 0).numpy()
    for view in (1, 2):
        augmented = to_tensor(images.transforms.augment(stored, augmentation_seed(5, view, 2)))
        with torch.no_grad():
            expected = classifier.pooled(augmented[None])[0]
        torch.testing.assert_close(cached.features("train")[view, 2], expected)
    assert cached.features("validation").shape[0] == 1


def test_epochs_take_the_views_in_turn_in_the_order_of_the_images(cached):
    loader = cached.train_dataloader()
    labels = cached.images.labels("train")
    for epoch in range(5):
        loader.sampler.set_epoch(epoch)  # pyright: ignore[reportAttributeAccessIssue]
        features, targets = (torch.cat(parts) for parts in zip(*loader, strict=True))
        order = cached.images.train_order(epoch)
        assert torch.equal(features, cached.features("train")[epoch % 3, order])
        assert torch.equal(targets, labels[order])


def test_the_backbone_sees_each_image_once_however_many_epochs(frozen, tmp_path, monkeypatch):
    seen: list[int] = []
    through = CellClassifier.pooled

    def counting(self, images):
        seen.append(len(images))
        return through(self, images)

    monkeypatch.setattr(CellClassifier, "pooled", counting)
    run = fit(run=tmp_path / "run", **frozen(epochs=5)).run
    n_seen = sum(seen)
    trained = load_run(run, "cpu")
    assert n_seen == sum(len(trained.labels(part)) for part in ("train", "validation"))


def test_training_the_head_is_the_plain_loop_over_features(frozen, tmp_path):
    optimiser = OptimiserSettings(0.02, weight_decay=0.1, plateau_patience=99)
    head = HeadSettings(hidden=None, dropout=0.0)
    arguments = frozen(head, epochs=3, optimiser=optimiser, early_stopping_patience=None)
    run = fit(run=tmp_path / "run", **arguments).run
    trained = load_run(run, "cpu")
    start = HeadSettings(hidden=None, dropout=0.0).build(6, 2)
    first = fit(run=tmp_path / "first", **frozen(head, epochs=1, optimiser=optimiser)).run
    begun = torch.load(first / "checkpoints" / "last.ckpt", weights_only=True)
    # From the end of the first epoch on: the weights that a run begins with are in no file.
    start.load_state_dict({k[5:]: v for k, v in begun["state_dict"].items() if k[:5] == "head."})
    features = pool_all(
        trained.classifier, (images for images, _ in trained.images.tensor_batches("train"))
    )
    stepper = torch.optim.AdamW(start.parameters(), lr=0.02, weight_decay=0.1)
    stepper.load_state_dict(begun["optimizer_states"][0] | {
        "param_groups": stepper.state_dict()["param_groups"]
    })  # fmt: skip
    labels = trained.images.labels("train")
    for epoch in (1, 2):
        for batch in torch.from_numpy(trained.images.train_order(epoch)).split(4):
            stepper.zero_grad()
            cross_entropy(start(features[batch]), labels[batch]).backward()
            stepper.step()
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in start.state_dict().items():
        torch.testing.assert_close(last[f"head.{name}"], value)


def test_the_backbone_is_kept_once_and_read_back_with_any_head(frozen, tmp_path):
    run = fit(run=tmp_path / "run", **frozen(epochs=2)).run
    kept = {
        name: torch.load(run / "checkpoints" / name, weights_only=True)
        for name in ("best.ckpt", "last.ckpt", "backbone.ckpt")
    }
    for name in ("best.ckpt", "last.ckpt"):
        assert {key.partition(".")[0] for key in kept[name]["state_dict"]} == {"head"}
    trained = load_run(run, "cpu")
    torch.testing.assert_close(
        dict(trained.classifier.backbone.state_dict()), dict(kept["backbone.ckpt"])
    )
    logits, _ = trained.outputs("validation")
    best = min(read_csv(run / "metrics.csv"), key=lambda row: float(row["validation_loss"]))
    loss = float(cross_entropy(logits, trained.labels("validation")))
    assert loss == pytest.approx(float(best["validation_loss"]), abs=1e-5)


def test_a_run_folder_without_its_backbone_says_what_is_missing(frozen, tmp_path):
    run = fit(run=tmp_path / "run", **frozen(epochs=1)).run
    (run / "checkpoints" / "backbone.ckpt").unlink()
    with pytest.raises(FileNotFoundError, match=r"backbone\.ckpt is missing: the checkpoints"):
        load_run(run, "cpu")


def test_without_a_validation_part_a_head_trains_too(frozen, tmp_path):
    split = SplitSettings(validation_share=0.0)
    assert fit(run=tmp_path / "run", split=split, **frozen(epochs=2)).accuracy is None
