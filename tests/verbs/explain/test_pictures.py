import torch
from safetensors.torch import load_file

from cellxai.explain.base import Attribution, Cost
from cellxai.figures.explanations.comparison import draw_comparison
from cellxai.figures.explanations.grid import draw_grid
from cellxai.verbs.explain import explain
from cellxai.verbs.explain.pictures import describe_cost, describe_image, first_surrogate, grid_row
from cellxai.verbs.explain.saved_maps import SavedMaps
from cellxai.verbs.report import report
from gmm.commandline.parser import arguments_of


def test_every_picture_shows_an_explainer_of_ones_own(run, tmp_path, monkeypatch):
    monkeypatch.undo()
    drawn: dict[str, list[str]] = {"strip": [], "grid": []}

    def strip(comparison, path):
        drawn["strip"] += [name for name in comparison.maps if name in comparison.notes]
        draw_comparison(comparison, path)

    def grid(rows, path):
        drawn["grid"] += [name for row in rows for name in row.maps]
        draw_grid(rows, path)

    monkeypatch.setattr("cellxai.verbs.explain.pictures.draw_comparison", strip)
    monkeypatch.setattr("cellxai.verbs.explain.verb.draw_grid", grid)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_lab.py").write_text("""
from cellxai.explain.base import Attribution, Explainer

class Darkness(Explainer):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def attribute(self, model, images, targets, context):
        return Attribution((1 - images.mean(1)) * self.factor)
""")
    (tmp_path / "own.yaml").write_text(f"""
run: {run}
explainers:
  mine: {{class_path: own_lab.Darkness, init_args: {{factor: 3.0}}}}
  edges: cellxai.explain.controls.Edges
""")
    words = ["--config", str(tmp_path / "own.yaml")]
    result = explain(**arguments_of("cellxai explain", explain, words))
    assert drawn == {"strip": ["mine", "edges"] * 3, "grid": ["mine", "edges"] * 3}
    saved = load_file(result.folder / "maps" / f"{result.images[0]}.safetensors")
    torch.testing.assert_close(saved["map/mine"], 3 * (1 - saved["image"].mean(0)))
    report(run)
    assert ">mine<" in (run / "report" / "index.html").read_text()


def test_the_first_surrogate_of_superpixels_has_the_panels():
    flat = torch.zeros(1, 4, 4)
    attributions = {
        "gradient": Attribution(flat),
        "of pixels": Attribution(flat, surrogate_r2=torch.ones(1)),
        "LIME": Attribution(flat, torch.tensor([[1.0, -2.0]]), surrogate_r2=torch.ones(1)),
        "other": Attribution(flat, torch.tensor([[3.0, 4.0]]), surrogate_r2=torch.ones(1)),
    }
    name, coefficients = first_surrogate(attributions)
    assert (name, coefficients.tolist()) == ("LIME", [1.0, -2.0])
    assert first_surrogate({"gradient": attributions["gradient"]}) is None


def test_a_status_is_told_with_the_cost_unless_it_is_ok():
    cost = Cost(forwards=500, seconds=6.14)
    assert describe_cost(Attribution(torch.zeros(1, 4, 4), cost=cost)) == "500 forwards, 6.1 s"
    degraded = Attribution(torch.zeros(1, 4, 4), cost=cost, status="degraded")
    assert describe_cost(degraded) == "degraded; 500 forwards, 6.1 s"


def test_an_image_from_outside_has_no_label():
    entry = {"id": "x", "label": None, "predicted": "cort", "probability": 0.876}
    assert describe_image(entry) == "x: predicted cort (0.88)"
    assert describe_image(entry | {"label": "astro"}) == "x: astro, predicted cort (0.88)"


def test_the_grid_shows_colours_last_and_what_could_not_run():
    entry = {"id": "x", "label": None, "predicted": "cort", "probability": 0.5}
    entry["explainers"] = {"a": {"status": "ok"}, "b": {"status": "unsupported"}}
    image = torch.rand(3, 4, 5)
    tensors = {"image": image, "map/a": torch.ones(4, 5), "map/b": torch.full((4, 5), torch.nan)}
    row = grid_row(SavedMaps(entry, tensors))
    assert row.statuses == {"a": "ok", "b": "unsupported"}
    assert list(row.maps) == ["a", "b"]
    assert row.image[3, 4].tolist() == image[:, 3, 4].tolist()
