"""Reading YAML that may be broken, empty or a trap; every error names the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MOST_VALUES = 100_000  # of a file with its aliases written out; a config has some hundreds
MOST_BYTES = 2**24


def load_yaml(path: Path) -> Any:
    """The plain values of a YAML file; ``None`` of an empty one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not YAML, no file of reasonable size, or its aliases multiply.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a regular file, expected a YAML file of options")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"{path}: above {MOST_BYTES:,} bytes, expected a YAML file of options")
        value = yaml.safe_load(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if count_values(value, {}) > MOST_VALUES:
        raise ValueError(f"{path}: its aliases make more than {MOST_VALUES:,} values of it")
    return value


def count_values(value: Any, counted: dict[int, float]) -> float:
    """How many values there are when every alias is written out; infinity for one within itself.

    Args:
        value: Values as YAML loads them, in which an alias is the same object once more.
        counted: The counts of the lists and mappings that were met before, by identity.
    """
    if not isinstance(value, Mapping | list):
        return 1
    if id(value) not in counted:
        counted[id(value)] = float("inf")
        items = value.values() if isinstance(value, Mapping) else value
        counted[id(value)] = 1 + sum(count_values(item, counted) for item in items)
    return counted[id(value)]
