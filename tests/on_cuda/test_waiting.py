"""Loops leave the host to run ahead of the device, and bytes go there once."""

import copy

import lightning as L
import numpy as np
import pytest
import torch
from pretended_cuda import counted
from small_training import cells, settings, weights
from torch import Tensor, nn

from cellxai.data.loading.datamodule import send
from cellxai.data.pixels.clahe import equalise_batch
from cellxai.data.pixels.tensor_augment import equalise_chosen
from cellxai.explain.base import Context
from cellxai.explain.inpainting import STEPS_PER_LOOK, harmonic_fill
from cellxai.explain.metrics.road import linear_imputation
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.precision import float32_products
from cellxai.trained.run import load_run
from cellxai.training.averaging import MovingAverage
from cellxai.training.stopping import FiniteLoss
from cellxai.verbs.fit import fit

__all__ = ["cells", "settings", "weights"]


def test_a_batch_of_perturbed_images_waits_for_nothing() -> None:
    images = torch.rand(2, 3, 16, 16).cuda()
    superpixels = (torch.arange(16) // 4).expand(2, 16, 16).cuda()
    context = Context(superpixels, torch.zeros_like(images), batch_size=4)
    owners, masks = torch.tensor([0] * 20 + [1] * 20).cuda(), torch.rand(40, 4).cuda() > 0.5
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).cuda()
    columns = torch.tensor([[0], [1]]).cuda()
    with counted() as counts:
        scores = perturbed_scores(net, images, context, owners, masks, columns)
    assert scores.shape == (40, 1)
    assert counts.n_syncs == 1  # for all ten batches


@pytest.mark.parametrize("fill", [harmonic_fill, linear_imputation])
def test_conjugate_gradients_ask_now_and_then_and_find_what_the_cpu_finds(fill) -> None:
    images = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    place = torch.arange(24) // 12
    where = (place[:, None] * 2 + place)[None]
    where = where if fill is harmonic_fill else where == 3
    at, parts = images.cuda(), where.cuda()
    with counted() as counts, float32_products("exact"):
        there = fill(at, parts)
    torch.testing.assert_close(there.cpu(), fill(images, where), rtol=1e-4, atol=1e-5)
    assert counts.n_syncs <= 2 + 60 // STEPS_PER_LOOK
    assert counts.to_device.total() <= 64


def test_equalising_waits_for_nothing_and_gives_the_grey_levels_of_the_cpu() -> None:
    images = torch.randint(0, 256, (3, 1, 30, 41), dtype=torch.uint8)
    chosen = np.array([True, False, True])
    with counted() as counts:
        there = equalise_chosen(images.cuda(), chosen)
    assert counts.n_syncs == 0
    assert torch.equal(there.cpu(), equalise_chosen(images.clone(), chosen))
    assert torch.equal(equalise_batch(images[:, 0].cuda()).cpu(), equalise_batch(images[:, 0]))


def test_a_step_of_the_moving_average_waits_for_nothing() -> None:
    weights = [torch.rand(3, 4), torch.rand(5)]
    towards = [torch.rand(3, 4), torch.rand(5)]
    there = [weight.cuda() for weight in weights]
    average = MovingAverage(0.9)
    with counted() as counts:
        average.average(there, [each.cuda() for each in towards], torch.tensor(3).cuda())
    average.average(weights, towards, torch.tensor(3))
    assert counts.n_syncs == 0
    for mine, other in zip(there, weights, strict=True):
        torch.testing.assert_close(mine.cpu(), other)


def test_a_checkpoint_waits_once_to_know_that_all_weights_are_finite() -> None:
    state = {f"layer {i}": torch.rand(4).cuda() for i in range(20)}
    callback, saved = object.__new__(FiniteLoss), {"state_dict": state}
    callback.latest, callback.frozen = None, set()
    with counted() as counts:
        callback.on_save_checkpoint(L.Trainer(barebones=True), L.LightningModule(), saved)
    assert counts.n_syncs == 1


def test_a_grey_plane_is_sent_once() -> None:
    images = torch.rand(4, 1, 8, 8).expand(-1, 3, -1, -1)
    with counted() as counts:
        there = send(images, torch.device("cuda"))
    assert counts.to_device.total() == 4 * 8 * 8 * 4
    assert torch.equal(there.cpu(), images)


def test_a_run_sends_its_images_in_8_bits(settings, tmp_path) -> None:
    fit(run=tmp_path / "run", **settings(epochs=1))
    trained = load_run(tmp_path / "run", "cuda")
    trained.images.setup()
    with counted() as counts:
        trained.outputs("train")
    assert counts.to_device.total() == trained.images.images("train").numel()


def test_a_training_sends_no_plane_twice(settings, tmp_path, monkeypatch) -> None:
    sent: list[Tensor] = []

    def note(values: Tensor, device: torch.device) -> Tensor:
        sent.append(values)
        return send(values, device)

    monkeypatch.setattr("cellxai.data.loading.datamodule.send", note)
    given = settings(epochs=1, device="cuda")
    with counted() as counts:
        fit(run=tmp_path / "run", **copy.deepcopy(given))
    images = [values for values in sent if values.dim() == 4]
    assert len(images) > 2
    assert counts.to_device["cellxai/data/loading/datamodule.py:" + _line_of(counts)] < sum(
        values.numel() * 4 for values in images
    )


def _line_of(counts) -> str:
    place = max(key for key in counts.to_device if "datamodule" in key)
    return place.rpartition(":")[2]
