"""Whose code is imported because a text names it, and where it is looked for.

What a user writes on the command line or in a config that he passes is his own. Files that came
from elsewhere, such as the config of a run folder, name classes too: those are imported only from
:data:`TRUSTED` packages, from what the user allows, or where his process has them already.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import RLock
from typing import Any

from jsonargparse._common import parsing_settings

TRUSTED = (
    "cellxai", "gmm", "torch", "torchvision", "timm", "lightning", "pytorch_lightning",
    "torchmetrics", "captum", "albumentations",
)  # fmt: skip
PACKAGE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
CLASS = re.compile(r"(?<![\w./\\-])[^\W\d]\w*(?:\.[^\W\d]\w*)*\.[A-Z]\w*(?![\w/\\])")
REFUSAL = re.compile(r"Importing '([\w.]+)' is not allowed")
VERDICTS = ("import_path_verdicts", "import_paths_enforced")  # settings of jsonargparse
LONGEST_CONFIG = 2**20  # bytes that are searched for names of classes

_allowed: set[str] = set()
_one_at_a_time = RLock()


def allow(packages: Iterable[str]) -> None:
    """Lets files name classes of these packages or modules, until the process ends.

    Raises:
        ValueError: If a name is not that of a package.
    """
    for name in packages:
        if not PACKAGE.fullmatch(name):
            raise ValueError(f"allow={name!r}: expected the name of a package, such as my_lab")
        _allowed.add(name)


def take_allowed(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words without ``--allow NAME``, and the names; several are repeated or have commas."""
    rest: list[str] = []
    names: list[str] = []
    given = iter(words)
    for word in given:
        option, equals, value = word.partition("=")
        if option != "--allow":
            rest.append(word)
            continue
        value = value if equals else next(given, "")
        names += [name.strip() for name in value.split(",")]
    return rest, names


def trust_own_words(words: Sequence[str], names: Sequence[str]) -> None:
    """Allows what a user names himself, and looks for it beside his configs and where he stands.

    A folder is searched only where a class is named whose module lies in it and nowhere else, and
    after all others: a file there hides no library.
    """
    for config in configs_in(words):
        own = classes_in(read_start(config))
        allow(own)
        search_folder(config.resolve().parent, own)
    allow([*names, *classes_in("\n".join(words))])
    search_folder(Path.cwd(), [*names, *classes_in("\n".join(words))])


def configs_in(words: Sequence[str]) -> list[Path]:
    """The files that ``--config`` names."""
    named = [value for word, value in pairwise(words) if word == "--config"]
    named += [word.partition("=")[2] for word in words if word.startswith("--config=")]
    return [Path(name) for name in named if name and Path(name).is_file()]


def read_start(path: Path) -> str:
    """The text of a config, as far as it is searched for names."""
    with path.open("rb") as file:
        return file.read(LONGEST_CONFIG).decode("utf-8", "replace")


def classes_in(text: str) -> list[str]:
    """Top packages of the classes that a text names, such as ``my_lab`` of ``my_lab.Turn``."""
    return sorted({name.partition(".")[0] for name in CLASS.findall(text)})


def search_folder(folder: Path, names: Iterable[str]) -> None:
    """Looks for modules in a folder, too, if one of these lies in it and nowhere else."""
    for name in {name.partition(".")[0] for name in names}:
        here = (folder / f"{name}.py").is_file() or (folder / name).is_dir()
        if here and not is_importable(name) and str(folder) not in sys.path:
            sys.path.append(str(folder))


def search_recorded(folder: Path, name: str, recorded_in: Path) -> None:
    """Looks for a module where a file says that it lay, if the user allows it by name.

    Only in what belongs to the user, so that no other user of the machine can lay it there; and not
    in the folder that says so, which may have come with a module of that name.

    Args:
        folder: Where the module lay.
        name: Its top package.
        recorded_in: Folder of the file.
    """
    if name not in _allowed or folder.resolve().is_relative_to(recorded_in.resolve()):
        return
    with suppress(OSError):  # a folder of others, or none any more
        files = [path for path in (folder / f"{name}.py", folder / name) if path.exists()]
        if files and all(path.stat().st_uid == os.geteuid() for path in (folder, *files)):
            search_folder(folder, [name])


def folders_of_own(names: Iterable[str]) -> dict[str, str]:
    """Where the modules of these names lie that were imported and are installed nowhere."""
    found: dict[str, str] = {}
    for name in {*names} - {*TRUSTED} - sys.stdlib_module_names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and not {"site-packages", "dist-packages"} & {*Path(file).parts}:
            path = Path(file).resolve()
            found[name] = str(path.parents[1] if path.stem == "__init__" else path.parent)
    return dict(sorted(found.items()))


def is_importable(name: str) -> bool:
    """Whether a module is found without another folder."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@contextmanager
def only_trusted_imports(config: Any, where: str) -> Iterator[None]:
    """Within the block jsonargparse imports only trusted, allowed and already imported classes.

    Args:
        config: The plain values that are parsed in the block.
        where: The file that they are from, for the message.

    Raises:
        ValueError: Naming the class that is refused and the option that allows it.
    """
    # The setting is jsonargparse's own, and of the whole process; a user's own configs keep theirs.
    with _one_at_a_time:
        kept = {name: parsing_settings[name] for name in VERDICTS}
        verdicts = {**kept[VERDICTS[0]], "*": False}
        verdicts |= dict.fromkeys([*TRUSTED, *_allowed, *imported_classes(config)], True)
        parsing_settings.update(zip(VERDICTS, (verdicts, True), strict=True))
        try:
            yield
        except Exception as error:
            if refused := REFUSAL.search(str(error)):
                raise ValueError(refusal_line(where, refused[1])) from error
            raise
        finally:
            parsing_settings.update(kept)


def refusal_line(where: str, name: str) -> str:
    """The line for a class that is not imported."""
    top = name.partition(".")[0]
    return (
        f"{where}: names the class {name}, and code that a file names is not imported unasked; if "
        f"you trust it, pass --allow {top} (in Python: cellxai.api.allow(['{top}']))"
    )


def imported_classes(value: Any) -> set[str]:
    """Names in plain values whose module is imported already, other than Python's own modules."""
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in imported_classes(item)}
    if isinstance(value, list | tuple):
        return {name for item in value for name in imported_classes(item)}
    module, _, name = value.rpartition(".") if isinstance(value, str) else ("", "", "")
    own = module.partition(".")[0] in sys.stdlib_module_names and module != "__main__"
    kind = None if own else getattr(sys.modules.get(module), name, None)
    return {value, f"{kind.__module__}.{kind.__qualname__}"} if isinstance(kind, type) else set()
