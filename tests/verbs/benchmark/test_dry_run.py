import pytest
from small_benchmark import EXPLAINERS, METRICS, REGIONS

from cellxai.explain.controls import Edges
from cellxai.verbs.benchmark import benchmark

pytestmark = pytest.mark.usefixtures("drawn")


def test_a_dry_run_writes_nothing_and_says_what_is_missing(run):
    before = sorted(run.rglob("*"))
    asked = {"images_per_class": 1, "seeds": (0, 1), "batch_size": 4}
    plan = benchmark(run, EXPLAINERS, METRICS, REGIONS, dry_run=True, **asked)
    assert sorted(run.rglob("*")) == before
    assert (plan.n_images, plan.n_attributions, plan.n_scores) == (3, 12, 48)
    assert plan.seconds == pytest.approx(3 * plan.of_image.seconds)
    assert "12 attributions and 48 scores missing on 3 images: about" in str(plan)
    benchmark(run, {"edges": Edges()}, METRICS, REGIONS, **asked)
    rest = benchmark(run, EXPLAINERS, METRICS, REGIONS, dry_run=True, **asked)
    assert (rest.n_attributions, rest.n_scores) == (6, 24)
    done = benchmark(run, {"edges": Edges()}, METRICS, REGIONS, dry_run=True, **asked)
    assert (done.n_attributions, done.seconds) == (0, 0)
