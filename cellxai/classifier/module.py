"""The classifier that Lightning trains: backbone, head, loss, optimiser."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import lightning as L
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau
from torchmetrics.classification import MulticlassAccuracy

from cellxai.classifier.backbone import Backbone, FeatureNetwork, TimmBackbone

ClassWeights = Literal["none", "balanced"]
Schedule = Literal["plateau", "cosine"]


@dataclass(frozen=True)
class HeadSettings:
    """What turns features into logits.

    Args:
        hidden: Units of the hidden ReLU layer, 256 in the source notebook; null for none.
        dropout: Share of the last features dropped in training.
    """

    hidden: int | None = 256
    dropout: float = 0.3

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
    """

    backbone: Backbone = field(default_factory=TimmBackbone)
    head: HeadSettings = HeadSettings()
    frozen_statistics: bool = False


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW and how its learning rate falls, from epoch to epoch.

    Args:
        learning_rate: At the start.
        weight_decay: Decoupled, as AdamW has it (arXiv:1711.05101).
        plateau_factor: The learning rate is multiplied by this on a plateau.
        plateau_patience: Epochs without improvement that make a plateau.
        minimum_learning_rate: The learning rate is not reduced below this.
        schedule: "plateau" lowers it when the monitored loss no longer falls; "cosine" along half
            a wave over all epochs (arXiv:1608.03983), for runs too short to find a plateau.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    plateau_factor: float = 0.8  # this, 2 and 1e-5 are the source notebook's
    plateau_patience: int = 2
    minimum_learning_rate: float = 1e-5
    schedule: Schedule = "plateau"


class CellClassifier(L.LightningModule):
    """Images in [0, 1] to logits; normalisation happens inside, so explanations are of pixels.

    Args:
        features: The backbone as built.
        head: Settings of the head.
        n_classes: Number of classes.
        optimiser: Settings of the optimiser.
        class_weights: Weight of each class in the cross-entropy; ``None`` for equal weights.
        monitor: The loss whose plateau lowers the learning rate.
        frozen_statistics: See :class:`ModelSettings`.
    """

    mean: Float[Tensor, "c 1 1"]
    std: Float[Tensor, "c 1 1"]
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
    ) -> None:
        super().__init__()
        self.backbone = features.module
        self.head = head.build(features.n_features, n_classes)
        self.optimiser = optimiser
        self.monitor = monitor
        self.frozen_statistics = frozen_statistics
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
        self.train()  # Lightning trains each layer in the mode that it finds it in

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f"]:
        """Penultimate features: what enters the layer that gives the logits."""
        pooled = self.backbone((images - self.mean) / self.std)
        return self.head[:-1](pooled)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]."""
        return self.head[-1](self.features(images))

    def train(self, mode: bool = True) -> "CellClassifier":
        """Training mode, in which frozen BatchNorm layers stay in evaluation mode."""
        super().train(mode)
        if self.frozen_statistics:
            for layer in self.backbone.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        """Cross-entropy of a batch of augmented images."""
        return self.shared_step("train", *batch)

    def validation_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        """Cross-entropy of a batch of untouched images."""
        return self.shared_step("validation", *batch)

    def shared_step(
        self, part: str, images: Float[Tensor, "b 3 h w"], labels: Int[Tensor, " b"]
    ) -> Float[Tensor, ""]:
        """Loss of a batch; loss and accuracy are logged as means over the epoch."""
        logits = self(images)
        loss = F.cross_entropy(logits, labels, weight=self.class_weights)
        accuracy = self.accuracy[f"{part}_accuracy"]
        accuracy(logits, labels)
        logged = {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        self.log_dict(logged, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(images))
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW and its schedule."""
        settings = self.optimiser
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if settings.schedule == "cosine":
            epochs = self.trainer.max_epochs or 1
            schedule = CosineAnnealingLR(optimiser, epochs, settings.minimum_learning_rate)
        else:
            schedule = plateau_schedule(settings, optimiser)
        # Lightning keeps its state in the checkpoint, but would step it only after the checkpoint
        # is written, so that a resumed run lacks a step; hence it is stepped below.
        scheduler = {"scheduler": schedule, "monitor": self.monitor, "frequency": sys.maxsize}
        return {"optimizer": optimiser, "lr_scheduler": scheduler}

    def on_train_epoch_end(self) -> None:
        """Tells the scheduler the loss of this epoch, before the checkpoint is written."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(float(self.trainer.callback_metrics[self.monitor]))
        elif isinstance(schedule, LRScheduler):
            schedule.step()


def plateau_schedule(
    settings: OptimiserSettings, optimiser: torch.optim.Optimizer
) -> ReduceLROnPlateau:
    """A learning rate that falls when the monitored loss no longer does."""
    return ReduceLROnPlateau(
        optimiser,
        factor=settings.plateau_factor,
        patience=settings.plateau_patience,
        min_lr=settings.minimum_learning_rate,
    )


PARTS_SEEN = ("train", "validation")  # the parts that training reads; test is never among them


def balanced_weights(labels: Int[Tensor, " n"], n_classes: int) -> Float[Tensor, " k"]:
    """Weights inverse to the class counts, mean 1 over the samples: scikit-learn's "balanced"."""
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1)
    return len(labels) / (n_classes * counts.float())
