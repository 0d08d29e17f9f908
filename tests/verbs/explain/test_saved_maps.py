import importlib
import shutil
import sys

import pytest
import torch
from flipped_bits import flip_bits
from safetensors.torch import load_file

from cellxai.explain.base import Attribution, Context
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.controls import Edges
from cellxai.explain.hiding.occlusion import Occlusion
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.explain import explain
from cellxai.verbs.explain.saved_maps import (
    SavedMaps,
    collect_tensors,
    hash_image_settings,
    read_maps,
    write_maps,
)

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


@pytest.fixture
def saved() -> SavedMaps:
    """Two maps of an image with its superpixels."""
    generator = torch.Generator().manual_seed(0)
    image, superpixels = (
        torch.rand(1, 3, 8, 8, generator=generator),
        torch.arange(64).reshape(1, 8, 8),
    )
    context = Context(superpixels, torch.zeros_like(image))
    maps = {name: Attribution(torch.randn(1, 8, 8, generator=generator)) for name in ("a", "b")}
    return SavedMaps({"id": "x", "probability": 0.5}, collect_tensors(context, image, maps))


def test_maps_come_back_bit_for_bit_with_their_entry(saved, tmp_path):
    path = tmp_path / "maps" / "x.safetensors"
    path.parent.mkdir()
    write_maps(path, saved, "settings")
    again = read_maps(path, "settings")
    assert again.entry == saved.entry
    assert {*again.maps} == {"a", "b"}
    assert {*again.tensors} == {*saved.tensors}
    assert all(torch.equal(again.tensors[name], saved.tensors[name]) for name in saved.tensors)


def test_what_is_not_there_broken_or_of_other_settings_is_none(saved, tmp_path):
    path = tmp_path / "x.safetensors"
    assert read_maps(path, "settings") is None
    write_maps(path, saved, "settings")
    assert read_maps(path, "other") is None
    path.write_bytes(path.read_bytes()[:-9])
    assert read_maps(path, "settings") is None


def test_maps_with_any_flipped_bit_are_not_kept(saved, tmp_path):
    path = tmp_path / "x.safetensors"
    write_maps(path, saved, "settings")
    assert all(read_maps(path, "settings") is None for _ in flip_bits(path))
    assert read_maps(path, "settings") is not None


def test_the_settings_of_an_image_are_all_that_its_maps_depend_on():
    image, cells = torch.rand(1, 3, 8, 8), {"cells": torch.ones(8, 8, dtype=torch.bool)}
    first = hash_image_settings("s", image, 0, cells)
    assert hash_image_settings("s", image.clone(), 0, dict(cells)) == first
    others = [
        hash_image_settings("t", image, 0, cells), hash_image_settings("s", image + 1, 0, cells),
        hash_image_settings("s", image, 1, cells), hash_image_settings("s", image, 0, {}),
    ]  # fmt: skip
    assert len({first, *others}) == 5
