import json

import pytest

from cellxai.files.folder import RunFolder, write_csv
from cellxai.training.resuming import (
    DEFAULTS,
    EPOCHS,
    PATIENCE,
    Difference,
    check_same_run,
    find_last_checkpoint,
    flatten,
    list_differences,
    reopen,
)


def test_a_first_start_has_nothing_to_go_on_from_and_a_later_one_its_last_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    assert find_last_checkpoint(folder) is None
    folder.checkpoints.mkdir()
    (folder.checkpoints / "best.ckpt").touch()
    assert find_last_checkpoint(folder) is None
    (folder.checkpoints / "last.ckpt").touch()
    assert find_last_checkpoint(folder) == folder.checkpoints / "last.ckpt"


def test_the_settings_that_differ_are_named_with_both_values(tmp_path):
    folder = RunFolder(tmp_path)
    assert list_differences(folder, {"seed": 0}) == {}
    folder.config.write_text("seed: 0\nrun: here\n")  # what it does not say has its default
    now = {**DEFAULTS, "seed": 1, "run": "there"}
    assert list_differences(folder, now) == {"seed": Difference(0, 1)}
    assert list_differences(folder, {**now, "seed": 0}) == {}


@pytest.fixture
def begun(tmp_path) -> RunFolder:
    """What a run of 7 epochs leaves that was asked for 10 and stopped early."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "last.ckpt").touch()
    folder.environment.write_text('{"finished": true}')
    write_csv(folder.metrics, [{"epoch": epoch} for epoch in range(7)])
    return folder


@pytest.mark.parametrize(
    ("key", "earlier", "now", "further"),
    [
        (PATIENCE, 5, 6, True), (PATIENCE, 5, None, True), (PATIENCE, 5, 4, False),
        (PATIENCE, None, 5, False), (EPOCHS, 10, 9, False), ("seed", 0, 1, False),
    ],
)  # fmt: skip
def test_a_run_goes_on_to_a_later_end_and_to_nothing_else(begun, key, earlier, now, further):
    differences = {key: Difference(earlier, now)}
    if further:
        assert check_same_run(begun, differences)
        return
    with pytest.raises(ValueError, match=rf"holds a run with {key}={earlier}, got {now}"):
        check_same_run(begun, differences)


def test_more_epochs_for_a_run_that_stopped_early_ask_for_more_patience_as_well(begun):
    epochs = {EPOCHS: Difference(10, 20)}
    with pytest.raises(ValueError, match=r"after 7 of 10 epochs; pass a larger .*patience as well"):
        check_same_run(begun, epochs)
    assert check_same_run(begun, {**epochs, PATIENCE: Difference(5, 9)})
    assert check_same_run(begun, {EPOCHS: Difference(7, 8)})  # it had come to its end


def test_findings_of_the_earlier_weights_get_a_name_of_their_own(begun):
    for path in (begun.evaluation, begun.density, begun.evaluation.with_name("density-7-epochs")):
        path.mkdir()
    (begun.evaluation / "report.json").touch()
    (line,) = reopen(begun)
    assert line.startswith("evaluation, density: of the weights after 7 epochs")
    names = {path.name for path in begun.root.iterdir() if path.is_dir()} - {"checkpoints"}
    assert names == {"evaluation-7-epochs", "density-7-epochs", "density-7-epochs-2"}
    assert json.loads(begun.environment.read_text())["finished"] is False
    assert reopen(begun) == []


def test_a_nested_config_has_dotted_keys():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": []}) == {"a.b": 1, "a.c.d": 2, "e": []}
