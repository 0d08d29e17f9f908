import pytest

from gmm.commandline.parser import arguments_of, refuse_repeated


def paint(colour: str, layers: int = 1) -> None:
    """Paints.

    Args:
        colour: Its name.
        layers: How many.
    """


def message(*words: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        arguments_of("program paint", paint, list(words))
    return str(caught.value)


def test_a_wrong_value_is_told_with_the_config_that_it_stands_in(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("colour: red")
    second.write_text("layers: many")
    assert message("--config", str(first), "--config", str(second)).startswith(f"{second}: ")
    second.write_text("layer: 2")
    assert message("--config", str(first), f"--config={second}").startswith(f"{second}: ")


def test_a_value_of_the_command_line_is_not_blamed_on_a_config(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("{colour: red, layers: 2}")
    assert "c.yaml" not in message("--config", str(config), "--layers", "many")


def test_an_option_with_two_values_is_refused():
    for words in (["--colour", "red", "--colour=blue"], ["--colour=red", "--colour", "blue"]):
        with pytest.raises(ValueError, match="--colour is given twice, red and blue; give it once"):
            refuse_repeated(words)
    refuse_repeated(
        ["--colour", "red", "--layers", "2", "--colour=red", "--config", "a", "--config", "b"]
    )
