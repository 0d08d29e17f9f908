import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gmm.commandline.program import MISTAKE, run


@pytest.mark.parametrize("program", ["gmm", "cellxai"])
def test_help_and_version_import_no_torch(program):
    code = (
        f"import sys; from {program}.cli import main; sys.argv = ['x', sys.argv[1]]\n"
        "try: main()\n"
        "except SystemExit as leaving: code = leaving.code\n"
        "sys.exit(code or sum(n in sys.modules for n in ('torch', 'numpy', 'lightning')))"
    )
    for word in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", code, word], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", ["gmm", "cellxai"])
def test_the_help_of_every_verb_fits_a_screen(program, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    cli = pytest.importorskip(f"{program}.cli")
    for words in [["--help"], *([name, "--help"] for name in cli.VERBS)]:
        assert run(program, cli.ABOUT, cli.VERBS, words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 45, words
        assert max(map(len, lines)) <= 100, words


def test_the_console_scripts_are_installed():
    for program in ("gmm", "cellxai"):
        script = shutil.which(program, path=str(Path(sys.executable).parent))
        assert script is not None
        done = subprocess.run([script, "nonsense"], capture_output=True, text=True, check=False)
        assert done.returncode == MISTAKE
        assert done.stderr.startswith(f"{program}: unknown verb 'nonsense'; expected one of")
