"""Which config a wrong value stands in: its name is put before the error."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gmm.commandline.trust import configs_in, read_start

# How an error begins, ours or jsonargparse's: with the dotted name of the option.
OPTION = re.compile(
    r"(?:Parser key \"|Option '|Key '|unrecognized arguments: --)?(?P<option>[\w.]+)[\"'=: ]"
)


@contextmanager
def name_config(words: Sequence[str]) -> Iterator[None]:
    """Puts the name of the config before a ``ValueError`` about an option that stands in it.

    An option that stands on the command line, too, has its value from there.

    Raises:
        ValueError: As it came, with the name.
    """
    try:
        yield
    except ValueError as error:
        config = find_config(str(error), words)
        if config is None or config in str(error):
            raise
        raise ValueError(f"{config}: {error}") from error


def find_config(message: str, words: Sequence[str]) -> str | None:
    """The last config that gives the option that an error is about; ``None`` where none does."""
    configs = configs_in(words)
    match = OPTION.match(message)
    leaf = match["option"].rpartition(".")[2] if match else ""
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    if any(leaf in option.removeprefix("--").split(".") for option in options):
        return None
    named = [path for path in configs if leaf and leaf in read_start(path)]
    if named:
        return str(named[-1])
    return str(configs[0]) if len(configs) == 1 and set(options) == {"--config"} else None
