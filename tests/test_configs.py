"""Every file in ``configs/`` says how it is run, and means what its verb takes."""

from pathlib import Path

import pytest

from cellxai.cli import VERBS
from gmm.commandline.parser import parser_of

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = sorted((REPOSITORY / "configs").rglob("*.yaml"))


def header(config: Path) -> str:
    """The comment that a config opens with, as one line."""
    lines = []
    for line in config.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip("\\ "))
    return " ".join(lines)


def verb_of(config: Path) -> str:
    """The verb of the command in the header."""
    program, verb, *_ = header(config).split()
    assert program == "cellxai"
    return verb


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: str(path.relative_to(REPOSITORY)))
class TestEveryConfig:
    def test_opens_with_its_command_its_cost_and_its_expected_result(self, config):
        opening = header(config)
        assert opening.startswith(
            f"cellxai {verb_of(config)} --config {config.relative_to(REPOSITORY)}"
        )
        assert "cost: " in opening
        assert "expect: " in opening.partition("cost: ")[2]

    def test_leaves_no_word_to_be_filled_in(self, config):
        words = set(header(config).replace(":", " ").replace(";", " ").split())
        assert not words & {"COST", "EXPECT", "TODO", "XXX"}

    def test_parses_against_the_signature_of_its_verb(self, config):
        parser = parser_of("cellxai", VERBS[verb_of(config)].load())
        arguments = ["--config", str(config)]
        if "run" in parser.required_names:
            arguments += ["--run", "runs/any"]
        parsed = parser.parse_args(arguments)
        parser.instantiate(parsed)


def test_there_are_configs_for_the_verbs_that_need_choices():
    assert {verb_of(config) for config in CONFIGS} >= {
        "quickstart",
        "fit",
        "density",
        "explain",
        "benchmark",
    }


def test_a_misspelt_key_of_a_config_is_not_passed_over(tmp_path):
    config = tmp_path / "misspelt.yaml"
    config.write_text("images_per_clas: 2\n")
    parser = parser_of("cellxai explain", VERBS["explain"].load())
    with pytest.raises(Exception, match="images_per_clas"):
        parser.parse_args(["--config", str(config), "--run", "runs/any"])
