import subprocess

from PIL import Image

from cellxai.data.records import Fault, Record
from cellxai.files.folder import write_json
from cellxai.training import environment
from cellxai.training.environment import (
    describe_data,
    describe_environment,
    describe_start,
    earlier_starts,
    git_revision,
    hash_records,
    total_seconds,
)


def records(folder) -> list[Record]:
    for i in range(3):
        Image.new("L", (4, 4), i).save(folder / f"{i}.png")
    return [Record(str(i), folder / f"{i}.png", "ab"[i % 2]) for i in range(3)]


def test_the_fingerprint_is_of_content_and_not_of_order_or_place(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = records(tmp_path / "a"), records(tmp_path / "b")
    assert hash_records(one) == hash_records(other[::-1])


def test_the_fingerprint_changes_with_a_pixel_a_label_and_an_image(tmp_path):
    found = records(tmp_path)
    prints = {hash_records(found), hash_records(found[:2])}
    prints.add(hash_records([*found[:2], Record("2", found[2].path, "b")]))
    Image.new("L", (4, 4), 77).save(found[0].path)
    assert len(prints | {hash_records(found)}) == 4


def test_faults_and_counts_are_recorded(tmp_path):
    found = describe_data(records(tmp_path), [Fault("x.png", "broken")])
    assert found["classes"] == {"a": 2, "b": 1}
    assert found["faults"] == ["x.png: broken"]


def test_the_cost_of_a_run_is_that_of_all_its_starts(tmp_path):
    path = tmp_path / "environment.json"
    assert earlier_starts(path) == []
    start = describe_start(describe_environment({"seed": 0}, "CPU", 1))
    assert start.keys() == {"created", "command", "device", "git_revision", "seconds"}
    write_json(path, {"starts": [start | {"seconds": 1.5}]})
    assert total_seconds([*earlier_starts(path), start | {"seconds": 0.25}]) == 1.8
    assert total_seconds([]) == 0


def test_outside_git_there_is_no_revision(monkeypatch):
    def refuse(*_: str) -> str:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(environment, "git", refuse)
    assert git_revision() is None


def test_a_revision_with_changed_files_says_so(monkeypatch):
    answers = {"rev-parse": "abc", "status": " M file"}
    monkeypatch.setattr(environment, "git", lambda *words: answers[words[0]])
    assert git_revision() == "abc+"
    answers["status"] = ""
    assert git_revision() == "abc"
