from cellxai.files.folder import RunFolder
from cellxai.training.resuming import DEFAULTS, find_last_checkpoint, first_difference, flatten


def test_a_first_start_has_nothing_to_go_on_from_and_a_later_one_its_last_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    assert find_last_checkpoint(folder) is None
    folder.checkpoints.mkdir()
    (folder.checkpoints / "best.ckpt").touch()
    assert find_last_checkpoint(folder) is None
    (folder.checkpoints / "last.ckpt").touch()
    assert find_last_checkpoint(folder) == folder.checkpoints / "last.ckpt"


def test_the_first_setting_that_differs_is_named_with_both_values(tmp_path):
    folder = RunFolder(tmp_path)
    assert first_difference(folder, {"seed": 0}) is None
    folder.config.write_text("seed: 0\nrun: here\n")  # what it does not say has its default
    assert first_difference(folder, {**DEFAULTS, "seed": 1, "run": "there"}) == ("seed", 0, 1)
    assert first_difference(folder, {**DEFAULTS, "seed": 0, "run": "there"}) is None


def test_a_nested_config_has_dotted_keys():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": []}) == {"a.b": 1, "a.c.d": 2, "e": []}
