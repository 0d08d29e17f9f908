import math
from pathlib import Path

import pytest
from small_benchmark import REGIONS, Interrupted, stored

from cellxai.explain.benchmark import Progress
from cellxai.explain.metrics.complexity import Gini
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.benchmark.watch import format_duration, tell, watch

pytestmark = pytest.mark.usefixtures("drawn")


def test_an_interrupted_benchmark_says_what_is_there_and_how_to_go_on(run):
    Interrupted.calls_left = 2
    message = (
        r"2 of 3 attributions were added to .*results\.sqlite; the same command again computes"
    )
    with pytest.raises(KeyboardInterrupt, match=message):
        benchmark(run, {"mine": Interrupted()}, {"Gini": Gini()}, REGIONS, images_per_class=1)
    Interrupted.calls_left = math.inf
    assert len(stored(run).rows()) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"), (89.4, "89 s"), (90.0, "2 min"), (5940.0, "99 min"), (6000.0, "1 h 40 min"),
        (12_000.0, "3 h 20 min"), (190_800.0, "2 d 5 h"), (math.nan, "unknown time"),
    ],
)  # fmt: skip
def test_a_duration_has_a_unit_and_a_half(seconds, text):
    assert format_duration(seconds) == text


def test_the_attributions_made_are_those_of_the_last_step():
    steps = [Progress(number, 7, "a", "lime", 0, "ok", 0.0) for number in (1, 2, 3)]
    assert watch(steps, Path("results.sqlite")) == 3
    assert watch([], Path("results.sqlite")) == 0


def test_a_line_goes_to_standard_error_whole_and_unmarked(capsys):
    line = "image 2 of 3 left out: [red] " + "x" * 200
    tell(line)
    assert capsys.readouterr() == ("", line + "\n")
