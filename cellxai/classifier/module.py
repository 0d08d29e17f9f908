"""The classifier that Lightning trains: backbone, head, loss, optimiser."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import lightning as L
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchmetrics.classification import MulticlassAccuracy

from cellxai.classifier.backbone import Backbone, FeatureNetwork, TimmBackbone
from cellxai.classifier.class_metrics import ClassScore, balanced_accuracy, macro_f1
from cellxai.classifier.loss import (
    LossSettings,
    cross_entropy,
    draw_mixture,
    mix,
    mixed_cross_entropy,
    total_weight,
)
from cellxai.classifier.monitor import higher_is_better
from cellxai.classifier.optimiser import OptimiserSettings, build_adamw, parameter_groups
from cellxai.classifier.schedule import LearningRate
from cellxai.files.config import refuse_null

Trainable = Literal["all", "head"]
BACKBONE = "backbone."  # before the names of its weights
KEPT_STATES = ("state_dict", "current_model_state")  # the latter beside averaged weights


@dataclass(frozen=True)
class HeadSettings:
    """What turns features into logits.

    Args:
        hidden: Units of the hidden ReLU layer, 256 in the source notebook; null for none.
        dropout: Share of the last features dropped in training.

    Raises:
        ValueError: If a number is out of its range.
    """

    hidden: int | None = 256
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.hidden is not None and self.hidden < 1:
            raise ValueError(
                f"model.head.hidden={self.hidden}: expected at least 1, or null for no hidden layer"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.head.dropout={self.dropout}: expected a share below 1")

    def build(self, n_features: int, n_classes: int) -> nn.Sequential:
        """The head, with the layer that gives the logits last."""
        if self.hidden is None:
            return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(n_features, n_classes))
        return nn.Sequential(
            nn.Linear(n_features, self.hidden),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(self.hidden, n_classes),
        )


@dataclass(frozen=True)
class ModelSettings:
    """The network.

    Args:
        backbone: The feature network; any timm model, or your own class.
        head: What turns its features into logits.
        frozen_statistics: Whether BatchNorm keeps the means and variances of the loaded weights in
            training. For small data, and needed by converted checkpoints whose statistics were
            folded into the weights: with those of a batch instead, such a network outputs zeros.
        trainable: "head" freezes the backbone, BatchNorm included: its features are computed once
            and kept, and an epoch costs what the head costs. What is given up is augmentation anew
            in every epoch; see ``training.cached_views``.
        own_image_size: Whether images are resized to the size that timm tests the model at, in the
            place of ``transforms.image_size``; the run records it there.
    """

    backbone: Backbone = field(default_factory=TimmBackbone)
    head: HeadSettings = HeadSettings()
    frozen_statistics: bool = False
    trainable: Trainable = "all"
    own_image_size: bool = False

    def __post_init__(self) -> None:
        refuse_null("model", self, "backbone", "head")


class CellClassifier(L.LightningModule):
    """Images in [0, 1] to logits; normalisation happens inside, so explanations are of pixels.

    Args:
        features: The backbone as built.
        head: Settings of the head.
        n_classes: Number of classes.
        optimiser: Settings of the optimiser.
        class_weights: Weight of each class in the cross-entropy; ``None`` for equal weights.
        monitor: The figure whose plateau lowers the learning rate.
        frozen_statistics: See :class:`ModelSettings`.
        trainable: See :class:`ModelSettings`. With "head", the batches of training and validation
            hold what :meth:`pooled` gives of images, and checkpoints hold no backbone.
        loss: Settings of the loss.
    """

    mean: Float[Tensor, "p 1 1"]
    std: Float[Tensor, "p 1 1"]
    class_weights: Float[Tensor, " k"] | None

    def __init__(
        self,
        features: FeatureNetwork,
        head: HeadSettings,
        n_classes: int,
        optimiser: OptimiserSettings = OptimiserSettings(),
        class_weights: Float[Tensor, " k"] | None = None,
        monitor: str = "validation_loss",
        frozen_statistics: bool = False,
        trainable: Trainable = "all",
        loss: LossSettings = LossSettings(),
    ) -> None:
        super().__init__()
        self.backbone = features.module
        self.head = head.build(features.n_features, n_classes)
        self.optimiser = optimiser
        self.monitor = monitor
        self.frozen_statistics = frozen_statistics
        self.trainable = trainable
        self.loss = loss
        if trainable == "head":
            self.backbone.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(features.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(features.std)[:, None, None], persistent=False)
        # Not persistent: a checkpoint holds the network, and loads into one built without weights.
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.accuracy = nn.ModuleDict(
            {
                f"{part}_accuracy": MulticlassAccuracy(n_classes, average="micro")
                for part in PARTS_SEEN
            }
        )
        for name, score in CLASS_SCORES.items():
            self.accuracy[name] = ClassScore(n_classes, score)
        self.train()  # Lightning trains each layer in the mode that it finds it in

    def pooled(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b pooled"]:
        """What the backbone makes of images."""
        return self.backbone((images - self.mean) / self.std)

    def features(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b f"]:
        """Penultimate features: what enters the layer that gives the logits."""
        return self.head[:-1](self.pooled(images))

    def forward(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]."""
        return self.head[-1](self.features(images))

    def train(self, mode: bool = True) -> "CellClassifier":
        """Training mode, in which what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.trainable == "head":
            self.backbone.eval()
        elif self.frozen_statistics:
            for layer in self.backbone.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        """Loss of a batch of augmented images, smoothed and mixed as the settings say."""
        inputs, labels = batch
        if not self.loss.mixup_alpha:
            logits = self.learnt(inputs)
            loss = cross_entropy(logits, labels, self.class_weights, self.loss.label_smoothing)
        else:
            mixture = draw_mixture(len(labels), self.loss.mixup_alpha)
            logits = self.learnt(mix(inputs, mixture))
            loss = mixed_cross_entropy(
                logits, labels, mixture, self.class_weights, self.loss.label_smoothing
            )
        self.log_step("train", loss, logits, labels)
        return loss

    def validation_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        """Cross-entropy of a batch of untouched images."""
        inputs, labels = batch
        logits = self.learnt(inputs)
        loss = cross_entropy(logits, labels, self.class_weights)
        self.log_step("validation", loss, logits, labels)
        return loss

    def learnt(self, inputs: Float[Tensor, "b ..."]) -> Float[Tensor, "b k"]:
        """Logits of images, or of their pooled features where the backbone is frozen."""
        return self.head(inputs) if self.trainable == "head" else self(inputs)

    def log_step(
        self,
        part: str,
        loss: Float[Tensor, ""],
        logits: Float[Tensor, "b k"],
        labels: Int[Tensor, " b"],
    ) -> None:
        """Logs loss and accuracy, as means over the images of the epoch on all devices.

        Those of the loss are weighted by class, so that they do not depend on the batches.
        """
        accuracy = self.accuracy[f"{part}_accuracy"]
        assert isinstance(accuracy, MulticlassAccuracy)
        accuracy.update(logits, labels)  # that of the batch alone is not asked for
        logged: dict[str, Any] = {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        for name in CLASS_SCORES if part == "validation" else ():
            self.accuracy[name].update(logits, labels)  # pyright: ignore[reportCallIssue]
            logged[name] = self.accuracy[name]
        self.log_dict(
            logged,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=total_weight(labels, self.class_weights),  # pyright: ignore
            sync_dist=True,
        )

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW and its schedule."""
        settings, trainer = self.optimiser, self.trainer
        groups = parameter_groups(self.backbone, self.head, settings)
        # A fused step takes the scale of 16-bit gradients away by itself, too late to clip them;
        # Lightning refuses the two together in any precision.
        optimiser = build_adamw(groups, settings, fused=trainer.gradient_clip_val is None)
        epochs = trainer.max_epochs or 1
        warm_up = settings.warm_up_steps
        if settings.warm_up_epochs:
            steps = trainer.estimated_stepping_batches / epochs
            warm_up = round(settings.warm_up_epochs * steps)
        higher = higher_is_better(self.monitor)
        schedule = LearningRate(optimiser, settings, epochs, warm_up, higher)
        # Lightning keeps its state in the checkpoint, but would step it only after the checkpoint
        # is written, so that a resumed run lacks a step; so it is stepped below.
        scheduler = {"scheduler": schedule, "frequency": sys.maxsize}
        return {"optimizer": optimiser, "lr_scheduler": scheduler}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule that a callback has put in the place of ours, as averaging does.

        Ours is never stepped here; and without this Lightning takes no scheduler but torch's.
        """
        scheduler.step()

    def on_train_epoch_start(self) -> None:
        """Sets the learning rate of the epoch."""
        if self.schedule is not None:
            self.schedule.begin_epoch(self.trainer.current_epoch)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Sets the learning rate of the step."""
        if self.schedule is not None:
            self.schedule.begin_step(self.trainer.global_step)

    def on_train_epoch_end(self) -> None:
        """Tells the schedule what this epoch was worth, before the checkpoint is written."""
        if self.schedule is not None:
            value = float(self.trainer.callback_metrics[self.monitor])
            self.schedule.end_epoch(self.trainer.current_epoch, value)

    @property
    def schedule(self) -> LearningRate | None:
        """The schedule in use, which Lightning keeps in the checkpoint; ``None`` for another's."""
        schedule = self.lr_schedulers()
        return schedule if isinstance(schedule, LearningRate) else None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves out a frozen backbone: the run folder holds it once."""
        for name in KEPT_STATES:
            if self.trainable == "head" and name in checkpoint:
                checkpoint[name] = without_backbone(checkpoint[name])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the frozen backbone that this classifier was built with."""
        frozen = {BACKBONE + name: value for name, value in self.backbone.state_dict().items()}
        for name in KEPT_STATES:
            if self.trainable == "head" and name in checkpoint:
                checkpoint[name] = {**frozen, **checkpoint[name]}


def without_backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a classifier without those of its backbone."""
    return {name: value for name, value in state.items() if not name.startswith(BACKBONE)}


PARTS_SEEN = ("train", "validation")  # the parts that training reads; test is never among them
CLASS_SCORES = {
    "validation_balanced_accuracy": balanced_accuracy, "validation_macro_f1": macro_f1,
}  # fmt: skip
