"""The whole product once, on either device."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cellxai.cli import main
from cellxai.files.folder import RunFolder, read_csv

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "quickstart.yaml"
SMALL = (
    "--n_images=24", "--transforms.image_size=[64, 64]", "--training.epochs=1",
    "--model.backbone.name=test_efficientnet",
)  # fmt: skip


def quickstart(run: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["cellxai", "quickstart", "--config", str(CONFIG), "--run", str(run), *SMALL]
    monkeypatch.setattr("sys.argv", [*words, f"--training.device={device}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (None, 0)


def read(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text(encoding="utf-8"))


def test_a_quickstart_ends_with_the_numbers_of_the_cpu(tmp_path: Path, monkeypatch) -> None:
    torch.backends.cudnn.allow_tf32 = False  # the training's: what follows it is exact in any case
    for device in ("cpu", "cuda"):
        quickstart(tmp_path / device, device, monkeypatch)
    torch.backends.cudnn.allow_tf32 = True
    here, there = (read_csv(tmp_path / device / "metrics.csv") for device in ("cpu", "cuda"))
    for mine, other in zip(there, here, strict=True):
        assert float(mine["train_loss"]) == pytest.approx(float(other["train_loss"]), rel=1e-3)
    assert read(tmp_path / "cuda", "environment.json")["device"].startswith("pretended CUDA")
    assert (tmp_path / "cuda" / "report" / "index.html").stat().st_size > 100_000
    maps = read(RunFolder(tmp_path / "cuda").explain, "index.json")
    assert maps["precision"] == "exact"
    assert {row["status"] for row in maps["images"][0]["explainers"].values()} == {"ok"}
