"""The lines of `cellxai` and `gmm` that a document tells its reader to type, as words to run.

Taken are the lines of blocks of ``sh`` and every `cellxai …` or `gmm …` between backticks. In a
table the options and configs that follow a command in its row are each run behind it, since that
is how a reader puts them together.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("cellxai", "gmm")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LOOP = re.compile(r"for (\w+) in ([^;]+); do (.+?); done")
ASSIGNMENT = re.compile(r"(\w+)=(\S+)")
COMMAND = re.compile(r"(?:\.venv/bin/|.* -m )?(?:cellxai|gmm) [^/]")
OPTION = re.compile(r"--[\w.]+(?: .+)?")
CONFIG = re.compile(r"configs/[\w/-]+\.yaml")


@dataclass(frozen=True)
class Command:
    """A line to run.

    Args:
        document: That has it.
        text: As it stands there, with what follows in its row.
        is_whole: Whether it is to be typed as it stands, and not short for more.
    """

    document: str
    text: str
    is_whole: bool

    @property
    def words(self) -> list[str]:
        """The program, the verb and what follows, with placeholders as they stand."""
        words = shlex.split(self.text)
        first = next(i for i, word in enumerate(words) if Path(word).name in PROGRAMS)
        return [Path(words[first]).name, *words[first + 1 :]]


def read_commands(path: Path) -> list[Command]:
    """The lines of a document, each once: those of blocks first, then those in prose."""
    text = path.read_text(encoding="utf-8")
    blocks = [block for kind, block in BLOCK.findall(text) if kind == "sh"]
    whole = dict.fromkeys(line for block in blocks for line in texts_in_shell(block))
    prose = dict.fromkeys(texts_in_prose(BLOCK.sub("", text)))
    return [
        *(Command(path.name, line, True) for line in whole),
        *(Command(path.name, line, False) for line in prose if line not in whole),
    ]


def each_once(commands: Iterable[Command]) -> list[Command]:
    """The commands that differ, each from the first document that has it."""
    first: dict[tuple[object, ...], Command] = {}
    for command in commands:
        first.setdefault((*command.words, command.is_whole), command)
    return list(first.values())


def read_files(path: Path, module: str) -> dict[str, str]:
    """The files that a document tells to write: its blocks of Python are one module together.

    A block of YAML that begins with a comment such as ``# mine.yaml`` is the file of that name.
    """
    blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
    code = "\n\n".join(block for kind, block in blocks if kind == "python")
    configs = {
        name[1]: block
        for kind, block in blocks
        if kind == "yaml" and (name := re.match(r"# (\w+\.yaml)\n", block))
    }
    return {module: code, **configs}


def block_with(text: str, words: str) -> str:
    """The block of a document that holds these words."""
    return next(block for _, block in BLOCK.findall(text) if words in block)


def texts_in_shell(block: str) -> Iterator[str]:
    """The commands of a block of a shell, its loops unrolled and its variables filled in."""
    variables: dict[str, str] = {}
    for line in block.replace("\\\n", " ").splitlines():
        bare = line.partition(" #")[0].strip()
        if assignment := ASSIGNMENT.fullmatch(bare):
            variables[assignment[1]] = assignment[2]
            continue
        loop = LOOP.fullmatch(bare)
        rounds = (
            [(loop[3], loop[1], word) for word in loop[2].split()] if loop else [(bare, "", "")]
        )
        for body, name, word in rounds:
            for variable, value in {**variables, name: word}.items():
                body = body.replace(f"${variable}", value) if variable else body
            if COMMAND.match(body):
                yield body


def texts_in_prose(text: str) -> Iterator[str]:
    """The commands between backticks, in a row of a table also with what follows them."""
    for line in text.splitlines():
        codes = CODE.findall(line)
        if not line.startswith("|"):
            yield from (code for code in codes if COMMAND.match(code))
            continue
        command = ""
        for code in codes:
            if COMMAND.match(code):
                command = code
                yield command
            elif command.startswith("gmm ") and re.fullmatch(r"[a-z]+", code):
                yield f"gmm {code}"
            elif command and OPTION.fullmatch(code):
                yield f"{command} {code}"
            elif command and CONFIG.fullmatch(code):
                yield f"{command} --config {code}"


def options_in(text: str) -> list[str]:
    """The names of all options between backticks, such as ``--data.root``."""
    return sorted({word for code in CODE.findall(text) for word in re.findall(r"--[\w.]+", code)})
