import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.training.averaging import MovingAverage, build_moving_average, decay_at
from cellxai.verbs.fit import fit


def test_the_decay_rises_to_its_value():
    assert [decay_at(n, 0.999) for n in (1, 2, 3)] == [2 / 11, 3 / 12, 4 / 13]
    assert decay_at(10**6, 0.999) == 0.999
    assert decay_at(100, 0.5) == 0.5


def test_the_average_is_that_of_a_loop():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    averaged = AveragedModel(network, multi_avg_fn=MovingAverage(0.7).average, use_buffers=True)
    expected: dict[str, torch.Tensor] = {}
    for step in range(20):
        network(torch.randn(4, 3)).sum().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += torch.randn_like(parameter)
        averaged.update_parameters(network)
        keep = 0.0 if step == 0 else min(0.7, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            before = expected.get(name, value)
            expected[name] = keep * before + (1 - keep) * value
    found = averaged.module.state_dict()
    assert int(found["1.num_batches_tracked"]) == 20
    del found["1.num_batches_tracked"], expected["1.num_batches_tracked"]
    torch.testing.assert_close(dict(found), expected)


def test_without_a_decay_nothing_is_averaged():
    assert build_moving_average(None) == []
    assert [callback.decay for callback in build_moving_average(0.9)] == [0.9]


def test_the_average_is_what_is_judged_and_kept_and_the_last_weights_lie_beside_it(
    settings, tmp_path
):
    run = fit(run=tmp_path / "run", **settings(ema_decay=0.9)).run
    kept = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    raw, averaged = kept["current_model_state"], kept["state_dict"]
    assert raw.keys() == averaged.keys()
    assert not torch.equal(raw["head.0.weight"], averaged["head.0.weight"])
    trained = load_run(run, "cpu")
    logits, _ = trained.outputs("validation")
    best = min(read_csv(run / "metrics.csv"), key=lambda row: float(row["validation_loss"]))
    loss = nn.functional.cross_entropy(logits, trained.labels("validation"))
    assert float(loss) == pytest.approx(float(best["validation_loss"]), abs=1e-5)
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    torch.testing.assert_close(dict(trained.classifier.state_dict()), state, rtol=0, atol=0)


def test_the_average_does_not_change_what_is_learnt(settings, tmp_path):
    plain, averaged = (
        fit(run=tmp_path / str(decay), **settings(epochs=2, ema_decay=decay)).run
        for decay in (None, 0.9)
    )
    one, other = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in (plain, averaged)
    )
    # The loss on the plateau is that of the average; within the first two epochs no rate differs.
    torch.testing.assert_close(one["state_dict"], other["current_model_state"], rtol=0, atol=0)


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1.5])
def test_a_decay_that_is_no_share_is_named(settings, wrong):
    with pytest.raises(ValueError, match=rf"ema_decay={wrong}: expected a share between"):
        settings(ema_decay=wrong)
