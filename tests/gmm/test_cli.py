import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from gmm.commandline.program import MISTAKE, run


@pytest.mark.parametrize("program", ["gmm", "cellxai"])
def test_help_and_mistyped_options_import_no_torch(program):
    code = (
        f"import sys; from {program}.cli import main\n"
        "for words in (['--help'], ['--version'], ['fit', '--help'], ['fit', '--sede', '1']):\n"
        "    sys.argv = ['x', *words]\n"
        "    try: main()\n"
        "    except SystemExit as leaving: print('left with', leaving.code)\n"
        "sys.exit(sum(n in sys.modules for n in ('torch', 'numpy', 'lightning', 'jsonargparse')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall("left with (.*)", done.stdout) == ["0", "0", "0", "2"]
    assert done.stderr.startswith(f"{program} fit: no option is named --sede; did you mean --seed?")


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("program", ["gmm", "cellxai"])
def test_the_help_of_every_verb_fits_the_terminal(program, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    cli = import_module(f"{program}.cli")
    for words in [["--help"], *([name, "--help"] for name in cli.VERBS)]:
        assert run(program, cli.ABOUT, cli.VERBS, words, cli.TABLES) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 6000 / columns, words
        assert max(map(len, lines)) <= columns or words == ["--help"], words


@pytest.mark.slow
def test_the_written_tables_are_those_of_the_verbs():
    script = Path(__file__).parents[2] / "scripts" / "write_help.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_console_scripts_are_installed():
    for program in ("gmm", "cellxai"):
        script = shutil.which(program, path=str(Path(sys.executable).parent))
        assert script is not None
        done = subprocess.run([script, "nonsense"], capture_output=True, text=True, check=False)
        assert done.returncode == MISTAKE
        assert done.stderr.startswith(f"{program}: unknown verb 'nonsense'; expected one of")
