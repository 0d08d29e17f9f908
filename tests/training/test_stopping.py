import re

import lightning as L
import pytest
import torch

from cellxai.classifier.module import CellClassifier
from cellxai.trained.run import load_run
from cellxai.training.stopping import STEPS_BETWEEN_ASKING, NotFiniteError, StopRequest
from cellxai.verbs.fit import fit


def broken_at(monkeypatch: pytest.MonkeyPatch, step: int, value: float) -> list[torch.Tensor]:
    """Makes the loss of a step infinite or no number; gives the images of the latest batch."""
    whole, seen = CellClassifier.training_step, []

    def training_step(self, batch, batch_index):
        seen[:] = [batch[1]]
        loss = whole(self, batch, batch_index)
        return loss * value if self.trainer.global_step == step else loss

    monkeypatch.setattr(CellClassifier, "training_step", training_step)
    return seen


@pytest.mark.parametrize(("value", "named"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_step_and_images(
    settings, tmp_path, monkeypatch, value, named
):
    labels = broken_at(monkeypatch, 6, value)
    with pytest.raises(NotFiniteError) as caught:
        fit(run=tmp_path / "run", seed=3, **settings(checkpoint_every_steps=1))
    line = str(caught.value)
    assert "\n" not in line
    assert f"the loss is {named} at step 6 (batch 2 of epoch 1), on the images " in line
    assert "Lower training.optimiser.learning_rate" in line
    assert "training.precision=32-true" in line
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 6
    assert all(weight.isfinite().all() for weight in saved["state_dict"].values())
    # The images named are those of the batch: their labels are the labels that it had.
    ids = re.split(", ", line.split("on the images ")[1].split(";")[0])
    trained = load_run(tmp_path / "run", "cpu")
    label_of = {record.id: record.label for record in trained.images.records("train")}
    assert [label_of[name] for name in ids] == [trained.classes[label] for label in labels[0]]


def test_a_network_that_is_not_finite_is_not_saved(settings, tmp_path, monkeypatch):
    whole = CellClassifier.on_train_epoch_end

    def overflow(self):
        whole(self)
        if self.trainer.current_epoch == 1:
            torch.nn.init.constant_(self.head[-1].bias, float("inf"))

    monkeypatch.setattr(CellClassifier, "on_train_epoch_end", overflow)
    with pytest.raises(NotFiniteError, match=r"the weight head\.\d\.bias is not finite any more"):
        fit(run=tmp_path / "run", **settings())
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert saved["epoch"] == 0


def test_processes_ask_each_other_now_and_then_whether_one_is_to_stop(monkeypatch):
    trainer, asked = L.Trainer(barebones=True), []
    monkeypatch.setattr(L.Trainer, "world_size", 2)
    monkeypatch.setattr(
        trainer.strategy, "reduce_boolean_decision", lambda own, **_: asked.append(own) or own
    )
    request = StopRequest()
    request.asked = True
    answers = []
    for step in range(1, 2 * STEPS_BETWEEN_ASKING + 1):
        monkeypatch.setattr(L.Trainer, "global_step", step)
        answers.append(request.by_any_within(trainer))
    assert len(asked) == 2
    assert [step for step, answer in enumerate(answers, 1) if answer] == [
        STEPS_BETWEEN_ASKING, 2 * STEPS_BETWEEN_ASKING,
    ]  # fmt: skip
