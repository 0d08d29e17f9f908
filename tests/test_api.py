"""The functions of ``cellxai.api``."""

from cellxai import api, cli


def test_every_verb_of_the_command_line_is_a_function_of_the_same_name():
    assert {*cli.VERBS} == {*api.__all__} - {"allow", "load_exported", "load_run"}
    assert all(getattr(api, name).__name__ == name for name in api.__all__)
