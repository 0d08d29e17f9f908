"""Plain typed functions as the verbs of a command line, with configs and errors of one line.

A verb's signature is its schema and its docstring its help. Modules of verbs are imported only when
the verb is called, so ``--help`` of a program that needs torch answers without it.
"""

import importlib
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmm.commandline.colour import paint_warnings
from gmm.commandline.help import group_asked, help_of
from gmm.commandline.mistakes import explain_mistake
from gmm.commandline.options import OptionTable, read_tables, unknown_option
from gmm.commandline.waiting import waiting

MISTAKE = 2  # the exit code of a mistake on the command line, as argparse has it
FAILURE = 1
OUT_OF_MEMORY = ("can't allocate memory", "out of memory")
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True)
class Verb:
    """One verb of a program.

    Args:
        target: ``module:function``, imported when the verb is called.
        summary: One line for the list of verbs.
        subject: The option that a first word without dashes is for; ``None`` if there is none.
        several: The option that may be given several times; ``None`` if there is none.
    """

    target: str
    summary: str
    subject: str | None = None
    several: str | None = None

    def load(self) -> Callable[..., Any]:
        """The function behind the verb."""
        return load_function(self.target)

    def name_subject(self, words: Sequence[str]) -> Sequence[str]:
        """The words, with the name of the option that a first word without dashes is for."""
        bare = self.subject and words and not words[0].startswith("-")
        return [f"--{self.subject}", *words] if bare else words

    def gather(self, words: Sequence[str]) -> list[str]:
        """The words, with all values of an option that may be given several times as one list."""
        option, rest, values = f"--{self.several}", [], []
        given = iter(words)
        for word in given:
            name, equals, value = word.partition("=")
            if self.several and name == option:
                values.append(value if equals else next(given, ""))
            else:
                rest.append(word)
        return [option, json.dumps(values), *rest] if len(values) > 1 else list(words)


def run(
    program: str,
    about: str,
    verbs: Mapping[str, Verb],
    argv: Sequence[str] | None = None,
    tables: Path | None = None,
    what_next: str | None = None,
) -> int:
    """Runs one verb and returns the exit code.

    With the file of its option tables (``write_tables``), ``--help`` and an option that a verb does
    not have are answered at once; what the verb needs is imported for the rest alone.

    With ``what_next``, ``module:function``, the answer of a verb on a terminal ends with what to
    ask next: the function gets the verb's name, its words and its arguments, and gives a line.

    A verb's result is printed; its ``exit_code`` is returned if it has one, otherwise 0. A mistake
    of the user (``ValueError``, ``OSError``, more memory than there is) gives 2 and one line, and
    under ``--debug`` the traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(overview(program, about, verbs))
        return 0 if words else MISTAKE
    if words[0] == "--version":
        print(version_line(program))
        return 0
    name = words[0]
    if name not in verbs:
        print(
            f"{program}: {explain_mistake(f'unknown verb {name!r}', name, verbs)}", file=sys.stderr
        )
        return MISTAKE
    prog = f"{program} {name}"
    if tables is not None:
        try:
            answer = answer_at_once(prog, read_tables(tables)[name], words[1:])
        except ValueError as mistake:
            print(f"{prog}: {mistake}", file=sys.stderr)
            return MISTAKE
        if answer is not None:
            print(answer)
            return 0
    return call(prog, verbs[name], words[1:], debug, what_next)


def answer_at_once(prog: str, table: OptionTable, words: Sequence[str]) -> str | None:
    """The help of a verb or a group if it is asked for; ``None`` where the verb is to be called.

    Raises:
        ValueError: If the verb has no such group, or no option of a name among the words.
    """
    group = group_asked(words)
    if group is not None:
        return help_of(prog, table, group)
    name = unknown_option(table, words)
    if name is None:
        return None
    known = [f"--{option.name}" for option in table.options]
    raise ValueError(explain_mistake(f"no option is named --{name}", f"--{name}", known))


def call(
    prog: str, verb: Verb, words: Sequence[str], debug: bool, what_next: str | None = None
) -> int:
    """Parses the words of one verb, calls it, prints its result."""
    try:
        with waiting(f"{prog}: loading …"):
            from gmm.commandline.parser import arguments_of, refuse_repeated
            from gmm.commandline.trust import take_allowed, trust_own_words

            words, names = take_allowed(words)
            words = verb.gather(words)
            refuse_repeated(words)
            trust_own_words(words, names)
            function = verb.load()
            arguments = arguments_of(prog, function, verb.name_subject(words))
        result = function(**arguments)
    except SystemExit as exit_request:  # --help and --print_config
        return exit_request.code if isinstance(exit_request.code, int) else 0
    except KeyboardInterrupt as interruption:
        kept = str(interruption) or "what was finished is kept"
        print(f"\n{prog}: interrupted; {kept}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        mistake = isinstance(error, (ValueError, OSError)) or lacks_memory(error)
        print(f"{prog}: {to_one_line(error)}", file=sys.stderr)
        if not mistake:
            print(
                f"{prog}: this is a defect of {prog.split()[0]}; --debug shows where",
                file=sys.stderr,
            )
        return MISTAKE if mistake else FAILURE
    if result is not None:
        print(paint_warnings(str(result), sys.stdout))
        # Who reads along is told what to do next; a file or a pipe has the answer alone.
        if what_next and sys.stderr.isatty():
            line = load_function(what_next)(prog.split()[1], words, arguments)
            if line:
                print(f"next: {line}", file=sys.stderr)
    return getattr(result, "exit_code", 0)


def load_function(target: str) -> Callable[..., Any]:
    """What ``module:function`` names."""
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)


def lacks_memory(error: BaseException) -> bool:
    """Whether more memory was asked for than there is; torch has no type for that on a CPU."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in said for words in OUT_OF_MEMORY)
    )


def to_one_line(error: BaseException) -> str:
    """An error's message on one line; its type is named unless it is a plain mistake."""
    if lacks_memory(error):
        reason = " ".join(str(error).split()).partition(". Error code")[0]
        return f"not enough memory ({reason}); ask for less at a time"
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"


def overview(program: str, about: str, verbs: Mapping[str, Verb]) -> str:
    """The help of the whole program: one line per verb."""
    width = max(map(len, verbs))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in verbs.items()]
    return "\n".join(
        [
            f"{program}: {about}",
            "",
            f"usage: {program} VERB [--config FILE.yaml ...] [--option VALUE ...]",
            "",
            *lines,
            "",
            f"{program} VERB --help lists a verb's options; --print_config prints them as YAML;",
            "--debug shows the traceback of an error; --version prints the versions;",
            "--allow PACKAGE lets a run folder or another file name classes of that package.",
        ]
    )


def version_line(program: str) -> str:
    """Version of the distribution and of torch, without importing either."""
    from importlib.metadata import version

    python = ".".join(map(str, sys.version_info[:3]))
    return f"{program} {version('cellxai')} (torch {version('torch')}, Python {python})"
