import torch
from safetensors.torch import load_file

from cellxai.figures.explanations.comparison import draw_comparison
from cellxai.figures.explanations.grid import draw_grid
from cellxai.files.config import build_arguments
from cellxai.verbs.explain import explain
from cellxai.verbs.report import report


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
    result = explain(**build_arguments(explain, tmp_path / "own.yaml"))
    assert drawn == {"strip": ["mine", "edges"] * 3, "grid": ["mine", "edges"] * 3}
    saved = load_file(result.folder / "maps" / f"{result.images[0]}.safetensors")
    torch.testing.assert_close(saved["map/mine"], 3 * (1 - saved["image"].mean(0)))
    report(run)
    assert ">mine<" in (run / "report" / "index.html").read_text()
