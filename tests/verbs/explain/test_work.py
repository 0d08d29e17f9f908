import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from small_explanations import REGIONS, read_index
from torch import nn

from cellxai.adapters.second_run import RunDensity
from cellxai.density import PipelineSettings
from cellxai.density.views import PooledLayer
from cellxai.explain.base import Attribution, Cost
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.controls import Edges
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density_of_run
from cellxai.verbs.explain import explain
from cellxai.verbs.explain.work import index_row, memory_layout
from cellxai.verbs.report import report


@pytest.mark.slow
def test_the_baseline_is_told_by_how_much_it_is_off_the_data(run):
    shutil.rmtree(run / "density", ignore_errors=True)  # of another test
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
        assert entry["explained"] == "log p-value of the image (nats)"
    report(run)
    assert "its baseline is " in (run / "report" / "index.html").read_text()


def test_a_density_of_one_view_judges_the_baseline_by_that_view(run):
    settings = PipelineSettings(views={"early": PooledLayer("backbone.blocks.0")})
    density_of_run(load_run(run), settings)
    result = explain(run, {"edges": Edges()}, REGIONS, baseline=ConstantBaseline())
    density = RunDensity(run)
    for entry in read_index(result)["images"]:
        image = load_file(result.folder / "maps" / f"{entry['id']}.safetensors")["image"][None]
        fall = density.log_density(image) - density.log_density(torch.zeros_like(image))
        assert entry["baseline_off_data_nats"] == pytest.approx(fall.item(), abs=0.01, rel=1e-3)
    assert {entry["view"] for entry in read_index(result)["images"]} == {""}
    result = explain(run, {"edges": Edges()}, REGIONS, score="density")
    assert {entry["view"] for entry in read_index(result)["images"]} == {"early"}
    report(run)
    page = (run / "report" / "index.html").read_text()
    assert "log p-value of the image (nats), most surprised view: early" in page


@pytest.mark.parametrize(("fit", "shown"), [(None, None), (0.123456, 0.1235), (float("nan"), None)])
def test_a_row_of_the_index_is_plain_and_has_no_number_that_json_lacks(fit, shown):
    r2 = None if fit is None else torch.tensor([fit])
    cost = Cost(forwards=7, backwards=2, seconds=1.23456)
    attribution = Attribution(
        torch.zeros(1, 4, 4), surrogate_r2=r2, cost=cost, status="degraded", reason="few"
    )
    row = index_row(attribution)
    assert row == {"status": "degraded", "reason": "few", "forwards": 7, "backwards": 2,
                   "seconds": 1.235, "surrogate_r2": shown}  # fmt: skip
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_the_layout_is_that_of_the_convolutions():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    assert memory_layout(network) == "channels first"
    assert memory_layout(network.to(memory_format=torch.channels_last)) == "channels last"
