"""Each process has its own GPU, and whoever says where to compute is heard."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from pretended_cuda import counted

from cellxai.adapters.nearest import NearestInRun
from cellxai.trained.run import load_run
from cellxai.verbs.export import verb as exporting
from gmm import GaussianMixture, sweep
from gmm.samples.distributed import _wire


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "SLURM_LOCALID"])
def test_every_process_of_a_machine_fits_on_its_own_gpu(variable: str, monkeypatch) -> None:
    monkeypatch.setenv(variable, "1")
    x = np.random.default_rng(0).normal(size=(40, 2))
    mixture = GaussianMixture(2, device="cuda", random_state=0).fit(torch.from_numpy(x))
    assert mixture.means_.device == torch.device("cuda", 1)
    mixture = GaussianMixture(2, device="cuda:0", random_state=0).fit(torch.from_numpy(x))
    assert mixture.means_.device == torch.device("cuda", 0)


def test_what_is_sent_between_gpus_stays_on_the_one_it_is_on(monkeypatch) -> None:
    monkeypatch.setattr(dist, "get_backend", lambda _: "nccl")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert _wire(None, torch.device("cuda", 1)) == torch.device("cuda", 1)
    assert _wire(None, torch.device("cpu")) == torch.device("cuda", 1)  # not the current one, 0


def test_a_sweep_computes_where_it_is_told() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    with counted() as counts:
        there = sweep(x, (1, 2), ("diag",), n_init=1, device="cuda")
    assert counts.n_launches > 100
    here = sweep(x, (1, 2), ("diag",), n_init=1)
    assert there.best.bic == pytest.approx(here.best.bic, rel=1e-9)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_nearest_image_is_looked_for_where_the_images_are(tiny_run: Path, device: str) -> None:
    trained = load_run(tiny_run, device)
    image, regions = trained.pixels("train", 0), torch.zeros(1, 64, 64).long().to(device)
    with counted() as counts:
        filled = NearestInRun(tiny_run).fill(image, regions)
    assert filled.device.type == device
    assert (counts.n_launches > 0) == (device == "cuda")


def test_an_exported_program_is_of_the_cpu(tiny_run: Path, tmp_path: Path, monkeypatch) -> None:
    def note(network, images, expected, path) -> float:
        assert {images.device.type, *(w.device.type for w in network.parameters())} == {"cpu"}
        path.touch()
        return 0.0

    monkeypatch.setattr(exporting, "write_program", note)
    exported = exporting.export(tiny_run, tmp_path, format="torch_export", device="cuda")
    assert "model.pt2" in exported.files
