import importlib
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.controls import Edges
from cellxai.explain.hiding.occlusion import Occlusion
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.explain import explain

REGIONS = Grid(size_px=16)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 5},
        {"superpixels": Grid(size_px=8)},
        {"baseline": ConstantBaseline()},
        {"score": "probability"},
        {"explainers": {"e": Occlusion(8, 8), "edges": Edges()}},
        {"explainers": {"e": Occlusion(16, 8)}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_maps_of_other_settings_are_not_kept(run, changed):
    settings = {"explainers": {"e": Occlusion(8, 8)}, "superpixels": REGIONS}
    explain(run, **settings)
    assert explain(run, **settings).n_kept == 3
    assert explain(run, **settings | changed).n_kept == 0


def test_an_explainer_that_was_edited_is_asked_again(run, tmp_path, monkeypatch):
    code = """
from cellxai.explain.base import Attribution, Explainer

class Mine(Explainer):
    def attribute(self, model, images, targets, context):
        return Attribution(images[:, 0] * FACTOR)
"""
    monkeypatch.syspath_prepend(tmp_path)
    for factor in (1, 2):
        (tmp_path / "edited_lab.py").write_text(code.replace("FACTOR", f"{factor}.0"))
        importlib.invalidate_caches()
        sys.modules.pop("edited_lab", None)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        mine = importlib.import_module("edited_lab").Mine()
        result = explain(run, {"mine": mine}, REGIONS)
        assert result.n_kept == 0
        saved = load_file(result.folder / "maps" / f"{result.images[0]}.safetensors")
        assert torch.equal(saved["map/mine"], saved["image"][0] * factor)
