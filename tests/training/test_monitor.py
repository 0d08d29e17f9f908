"""What chooses the epoch, ends the training and lowers the rate is what the settings name."""

import pytest
import torch

from cellxai.classifier.module import CellClassifier
from cellxai.data.splits import SplitSettings
from cellxai.files.folder import read_csv
from cellxai.verbs.fit import fit

ACCURACIES = [0.5, 0.8, 0.8, 0.7, 0.6, 0.9]


@pytest.fixture
def told_accuracy(monkeypatch) -> None:
    """A validation whose loss falls for ever, and whose accuracy is best in the second epoch."""

    def validate(self, batch, batch_index) -> None:
        epoch = self.trainer.current_epoch
        self.log("validation_loss", 1.0 / (1 + epoch))
        self.log("validation_accuracy", ACCURACIES[epoch])
        self.log("validation_balanced_accuracy", 0.5)
        self.log("validation_macro_f1", 0.5)

    monkeypatch.setattr(CellClassifier, "validation_step", validate)


def best_epoch_of(run) -> int:
    return torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]


@pytest.mark.usefixtures("told_accuracy")
def test_the_best_epoch_the_stop_and_the_plateau_follow_the_monitor(settings, tmp_path):
    by_loss = fit(run=tmp_path / "loss", **settings(epochs=5, early_stopping_patience=2))
    assert (best_epoch_of(by_loss.run), by_loss.epochs, by_loss.accuracy) == (4, 5, 0.6)
    wanted = {"monitor": "validation_accuracy", "early_stopping_patience": 2, "epochs": 6}
    result = fit(run=tmp_path / "accuracy", **settings(**wanted))
    # Of the two epochs with 0.8 the first is kept; after two more that are no better it ends.
    assert (best_epoch_of(result.run), result.epochs, result.accuracy) == (1, 4, 0.8)
    rates = [float(row["learning_rate"]) for row in read_csv(result.run / "metrics.csv")]
    assert rates == [0.05, 0.05, 0.05, 0.025]  # the third epoch was the first without a better one


@pytest.mark.parametrize("monitor", ["validation_balanced_accuracy", "validation_macro_f1"])
def test_scores_that_count_every_class_alike_choose_the_epoch(settings, tmp_path, monitor):
    result = fit(run=tmp_path / "run", **settings(monitor=monitor, epochs=3))
    values = [float(row[monitor]) for row in read_csv(result.run / "metrics.csv")]
    assert best_epoch_of(result.run) == values.index(max(values))


def test_without_validation_images_there_is_nothing_but_the_loss_to_go_by(settings, tmp_path):
    split = SplitSettings(validation_share=0.0)
    with pytest.raises(ValueError, match="monitor=validation_macro_f1 needs a validation part"):
        fit(run=tmp_path / "run", split=split, **settings(monitor="validation_macro_f1", epochs=1))


def test_own_class_weights_reach_the_training(settings, tmp_path):
    plain, weighted, listed = (
        fit(run=tmp_path / name, **settings(epochs=1, class_weights=weights)).run
        for name, weights in (
            ("plain", "none"), ("named", {"dark": 9.0, "bright": 1.0}), ("listed", [1.0, 9.0])
        )
    )  # fmt: skip
    losses = [read_csv(run / "metrics.csv")[0]["train_loss"] for run in (plain, weighted, listed)]
    assert losses[0] != losses[1] == losses[2]
    with pytest.raises(ValueError, match="names cat; expected a weight for each of bright, dark"):
        fit(run=tmp_path / "other", **settings(class_weights={"cat": 1.0}))
