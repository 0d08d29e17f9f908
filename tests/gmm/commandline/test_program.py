import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gmm.commandline.program import FAILURE, INTERRUPTED, MISTAKE, Verb, run

MINE = """
from pathlib import Path
from cellxai.data.records import Record, Scan, Source

class TwoFiles(Source):
    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def scan(self) -> Scan:
        return Scan(tuple(Record(label, Path(label + self.suffix), label) for label in "ab"))
"""


@dataclass(frozen=True)
class Result:
    exit_code: int = 0

    def __str__(self) -> str:
        return f"the result {self.exit_code}"


def finish(code: int = 0) -> Result:
    """Returns.

    Args:
        code: With which code.
    """
    return Result(code)


def fail(kind: str) -> None:
    """Raises.

    Args:
        kind: Name of the exception.
    """
    raise {
        "value": ValueError("size=3:\n  expected 4"),
        "os": FileNotFoundError("x.png: no such file"),
        "defect": KeyError("size"),
        "memory": MemoryError("Unable to allocate 8 TiB"),
        "memory of torch": RuntimeError("alloc.cpp: can't allocate memory: 8 bytes. Error code 12"),
        "interrupt": KeyboardInterrupt(),
        "interrupt that tells": KeyboardInterrupt("2 of 3 are in x.sqlite"),
    }[kind]


VERBS = {
    "finish": Verb(f"{__name__}:finish", "returns"),
    "fail": Verb(f"{__name__}:fail", "raises", subject="kind"),
}


def told(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a program of two verbs."""
    code = run("program", "about", VERBS, words)
    return code, *capsys.readouterr()


def shell(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_result_is_printed_and_its_exit_code_returned(capsys):
    assert told(capsys, "finish") == (0, "the result 0\n", "")
    assert told(capsys, "finish", "--code", "3") == (3, "the result 3\n", "")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("value", "program fail: size=3: expected 4\n"),
        ("os", "program fail: x.png: no such file\n"),
        (
            "memory",
            "program fail: not enough memory (Unable to allocate 8 TiB); ask for less at a time\n",
        ),
        (
            "memory of torch",
            "program fail: not enough memory (alloc.cpp: can't allocate memory: 8 bytes); ask for "
            "less at a time\n",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(capsys, kind, line):
    assert told(capsys, "fail", "--kind", kind) == (MISTAKE, "", line)


@pytest.mark.parametrize("words", [("value",), ("--kind", "value"), ("--kind=value",)])
def test_a_first_word_without_dashes_is_the_subject_of_a_verb_that_has_one(capsys, words):
    assert told(capsys, "fail", *words)[2] == "program fail: size=3: expected 4\n"
    assert told(capsys, "finish", "3")[0] == MISTAKE


def test_any_other_error_is_named_a_defect_with_exit_code_1(capsys):
    code, _, error = told(capsys, "fail", "--kind", "defect")
    assert code == FAILURE
    assert "KeyError: 'size'" in error
    assert "defect of program" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("kind", ["value", "defect"])
def test_debug_shows_the_traceback_wherever_it_stands(capsys, kind):
    assert "Traceback" in told(capsys, "fail", "--debug", "--kind", kind)[2]
    assert "Traceback" in told(capsys, "--debug", "fail", "--kind", kind)[2]


def test_an_interruption_is_130_without_a_traceback(capsys):
    code, _, error = told(capsys, "fail", "--kind", "interrupt")
    assert code == INTERRUPTED == 130
    assert "interrupted" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("finsih",), "program: unknown verb 'finsih'; did you mean finish?"),
        (("finish", "--cod", "1"), "did you mean code?"),
        (("finish", "--code", "many"), "many"),
        (("finish", "more"), "more"),
        (("fail",), "required"),
    ],
)
def test_a_mistyped_word_is_one_line_and_exit_code_2(capsys, words, said):
    code, output, error = told(capsys, *words)
    assert (code, output, error.count("\n")) == (MISTAKE, "", 1)
    assert said in error


def test_an_interrupted_verb_may_say_what_is_there(capsys):
    assert run("toy", "a toy", VERBS, ["fail", "interrupt that tells"]) == INTERRUPTED
    assert capsys.readouterr().err.strip() == "toy fail: interrupted; 2 of 3 are in x.sqlite"


def test_no_verb_at_all_lists_them_as_a_mistake(capsys):
    code, output, _ = told(capsys)
    assert code == MISTAKE
    assert "finish  returns" in output
    assert told(capsys, "--help") == (0, output, "")


def test_the_help_of_a_verb_is_no_error(capsys):
    code, output, error = told(capsys, "finish", "--help")
    assert (code, error) == (0, "")
    assert "With which code [0]" in output


def test_the_version_names_torch_and_python(capsys):
    code, output, _ = told(capsys, "--version")
    assert code == 0
    assert "torch" in output
    assert output.startswith("program ")


def test_a_class_in_the_current_folder_works_from_a_config(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "mine.yaml").write_text(
        "data: {class_path: mine.TwoFiles, init_args: {suffix: .png}}"
    )
    done = shell("cellxai", "check", "--config", "mine.yaml", folder=tmp_path)
    assert "a.png" in done.stdout, done.stderr
    assert done.returncode == 3


def test_a_file_in_the_current_folder_hides_no_library(tmp_path):
    (tmp_path / "jsonargparse.py").write_text("raise SystemExit(9)")
    code = (
        "import sys; sys.path.remove(''); from gmm.cli import ABOUT, VERBS, run\n"
        "sys.exit(run('gmm', ABOUT, VERBS, ['fit', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0


def test_an_option_that_may_be_repeated_becomes_one_list():
    verb = Verb("json:dumps", "writes", several="run")
    words = ["--run", "a", "--out", "o", "--run=b c"]
    assert verb.gather(words) == ["--run", '["a", "b c"]', "--out", "o"]
    assert verb.gather(["--run", "a"]) == ["--run", "a"]
    assert Verb("json:dumps", "writes").gather(words) == words
