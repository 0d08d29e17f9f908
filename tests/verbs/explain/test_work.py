import pytest
import torch
from safetensors.torch import load_file
from small_explanations import REGIONS, read_index

from cellxai.adapters.second_run import RunDensity
from cellxai.density import PipelineSettings
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.controls import Edges
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.explain import explain
from cellxai.verbs.report import report


@pytest.mark.slow
def test_the_baseline_is_told_by_how_much_it_is_off_the_data(run):
    first = explain(run, {"edges": Edges()}, REGIONS)
    assert {entry["baseline_off_data_nats"] for entry in read_index(first)["images"]} == {None}
    trained = load_run(run)
    density_of_run(trained)
    result = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline(), score="density")
    black = torch.zeros_like(trained.pixels("test", 0))
    density = RunDensity(run)
    for entry in read_index(result)["images"]:
        saved = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")
        fall = density.log_density(saved["image"][None]) - density.log_density(black)
        assert entry["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)
        assert entry["explained"] == "log-density of the image (nats)"
    report(run)
    assert "its baseline is " in (run / "report" / "index.html").read_text()


def test_a_density_of_another_layer_judges_the_baseline_by_that_layer(run):
    settings = PipelineSettings("backbone.blocks.0", n_components=(1,), covariance_types=("diag",))
    density_of_run(load_run(run), settings)
    result = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline())
    density = RunDensity(run)
    for entry in read_index(result)["images"]:
        image = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")["image"][None]
        fall = density.log_density(image) - density.log_density(torch.zeros_like(image))
        assert entry["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)
