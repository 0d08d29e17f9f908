"""How large the page of many explained images is, with maps that do not compress."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cellxai.figures.explanations.comparison import Comparison, draw_comparison
from cellxai.figures.explanations.grid import GridRow, draw_grid
from cellxai.verbs.report import report

pytestmark = [pytest.mark.slow, pytest.mark.renders]
MB = 1_000_000


def explain_noise(run: Path, n_images: int, n_methods: int, side: int, drawn: bool) -> None:
    """Writes what ``explain`` leaves, every map and every image being noise in three colours."""
    folder, generator = run / "explain", np.random.default_rng(0)
    shutil.rmtree(folder)
    (folder / "maps").mkdir(parents=True)
    names = [f"method {number}" for number in range(n_methods)]
    cost = {"status": "ok", "reason": "", "forwards": 1, "backwards": 0, "seconds": 0.1}
    costs = dict.fromkeys(names, cost)
    labels = (np.arange(side)[:, None] // 16 * side + np.arange(side) // 16).astype(np.int32)
    entries, rows = [], []
    for number in range(n_images):
        entry = {"id": f"image{number}", "label": "astro", "predicted": "astro", "target": "astro"}
        image = generator.random((3, side, side), np.float32)
        maps = {name: generator.standard_normal((side, side), np.float32) for name in names}
        tensors = {f"map/{name}": values for name, values in maps.items()}
        path = folder / "maps" / f"{entry['id']}.safetensors"
        save_file(tensors | {"image": image, "superpixels": labels}, path)
        if drawn:
            shown, strip = image.transpose(1, 2, 0), f"{entry['id']}.png"
            rows.append(GridRow(str(number), shown, maps, dict.fromkeys(names, "ok")))
            draw_comparison(Comparison(entry["id"], shown, maps), folder / strip)
            entry["comparison"] = strip
        entries.append(entry | {"probability": 0.9, "part": "test", "explainers": costs})
    if drawn:
        draw_grid(rows, folder / "grid.png")
    head = {"superpixels": "slic", "baseline": "blur", "images": entries}
    (folder / "index.json").write_text(json.dumps(head), encoding="utf-8")


def test_the_page_of_24_images_and_12_methods_can_be_mailed(run):
    explain_noise(run, 24, 12, 224, drawn=True)
    assert 8 * MB < report(run).n_bytes <= 15 * MB


def test_the_page_of_500_images_stays_below_60_megabytes(run):
    explain_noise(run, 500, 7, 96, drawn=False)
    assert 20 * MB < report(run).n_bytes <= 60 * MB
