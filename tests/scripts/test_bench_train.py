"""What ``scripts/bench_train.py`` computes from clocks and logs."""

from pathlib import Path

import pytest
from bench_train import Bench
from bench_train_peers import seconds_a_step, timm_seconds

from cellxai.files.folder import write_json


def fake_timm(folder: Path, *lines: str) -> Path:
    """A script in the place of timm's that prints what it is told, after its own arguments."""
    (folder / "images" / "astro").mkdir(parents=True)
    script = folder / "train.py"
    script.write_text(
        "import sys\nprint(sys.argv)\n" + "".join(f"print({line!r})\n" for line in lines)
    )
    return script


def test_the_first_step_warms_up_and_does_not_count(tmp_path):
    write_json(tmp_path / "clock.json", {"steps": [9.0, 9.5, 10.5, 12.0], "epochs": [12.0]})
    assert seconds_a_step(tmp_path / "clock.json") == pytest.approx(1.0)


def test_timm_s_log_is_read_step_by_step_without_the_first(tmp_path):
    script = fake_timm(
        tmp_path,
        "Train: 0 [   0/3 (  0%)]  Loss: 1.1 (1.1)  Time: 9.000s,    1.78/s  (9.0s) LR: 1.0e-03",
        "Train: 0 [   1/3 ( 33%)]  Loss: 1.1 (1.1)  Time: 2.000s,    8.00/s  (5.5s) LR: 1.0e-03",
        "Train: 0 [   2/3 ( 67%)]  Loss: 1.1 (1.1)  Time: 1.000s,   16.00/s  (4.0s) LR: 1.0e-03",
    )
    assert timm_seconds(script, tmp_path / "images", "b0", 224, 16, ()) == pytest.approx(1.5 / 16)


def test_timm_s_script_is_told_the_size_that_ours_trains_at(tmp_path):
    script = fake_timm(tmp_path)
    script.write_text(
        "import sys\nside = int(sys.argv[sys.argv.index('--img-size') + 1])\n"
        "for _ in range(2):\n    print(f'Train: 0 [   0/2 (  0%)]  Time: {side:.3f}s')\n"
    )
    assert timm_seconds(script, tmp_path / "images", "b0", 96, 16, ()) == pytest.approx(96 / 16)


def test_a_script_of_timm_that_times_nothing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"train\.py timed nothing"):
        timm_seconds(fake_timm(tmp_path), tmp_path / "images", "b0", 224, 16, ())


def test_the_ratio_is_the_median_of_the_turns(tmp_path):
    bench = Bench(tmp_path, tmp_path, rounds=3, timm_train=None)
    theirs, ours = iter([2.0, 30.0, 4.0]), iter([1.0, 10.0, 4.0])
    row = bench.turns("work", 1.4, lambda: next(theirs), lambda: next(ours))
    assert row == "| work | 4000.00 | 4000.00 | 2.00 | 1.4 |"
