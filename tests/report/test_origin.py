import json

import pytest
from html_page import Page

from cellxai.files.folder import RunFolder
from cellxai.report.origin import read_origin
from cellxai.verbs.report import report


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_a_broken_head_costs_one_line(run, name):
    (run / name).write_text("{[: !!python/object/apply:os.system ['true']", encoding="utf-8")
    made = report(run)
    assert [name in problem for problem in made.problems] == [True]
    assert "cannot be shown" in Page(made.path).html


def test_the_head_says_what_made_the_run(finished_run):
    origin = read_origin(RunFolder(finished_run))
    facts = dict(origin.facts)
    assert facts["network"] == "tf_efficientnetv2_b0"
    assert facts["parameters"] == "6,188,372"
    assert facts["data"] == "Sartorius (root: cells)"
    assert facts["data fingerprint"] == "sha256:9f2c41d07b"
    assert ("torch", "2.11.0") in origin.versions
    assert origin.command == "cellxai fit --config configs/fit/sartorius.yaml"
    assert facts["training took"] == "1 min 14 s"
    assert origin.subject == (
        "tf_efficientnetv2_b0 on 51 images of 3 classes: astro, cort, shsy5y."
    )
    assert origin.problems == ()


def test_a_command_of_several_words_is_quoted_and_a_long_fingerprint_cut(run):
    path = run / "environment.json"
    saved = json.loads(path.read_text())
    saved["command"] = ["cellxai", "fit", "--run", "my run"]
    saved["data"]["fingerprint"] = "sha256:" + "0" * 64
    path.write_text(json.dumps(saved))
    origin = read_origin(RunFolder(run))
    assert origin.command == "cellxai fit --run 'my run'"
    assert dict(origin.facts)["data fingerprint"] == "sha256:" + "0" * 13 + "…"
