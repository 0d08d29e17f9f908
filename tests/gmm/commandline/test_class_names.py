import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import pytest

from gmm.commandline.class_names import bases_in, class_names, explain_class


@dataclass(frozen=True)
class Settings:
    size: int = 1


class Fruit(ABC):
    @abstractmethod
    def taste(self) -> str: ...


class Apple(Fruit):
    def taste(self) -> str:
        return "sweet"


class Braeburn(Apple):
    """An apple still."""


class _Bruised(Apple):
    """Not for the public."""


def test_the_classes_of_a_base_are_all_public_ones_that_can_be_built():
    assert class_names(Fruit) == ["Apple", "Braeburn"]


def test_the_base_is_found_in_any_type():
    assert list(bases_in(dict[str, Fruit] | None)) == [Fruit]
    assert list(bases_in(Fruit)) == [Fruit]
    assert list(bases_in(list[int] | str)) == []


def test_a_base_need_not_be_abstract_but_settings_and_paths_are_none():
    assert list(bases_in(list[Apple])) == [Apple]
    assert list(bases_in(list[Settings] | Path)) == []


def test_other_mistakes_are_left_to_others():
    assert explain_class("no key at all", {"fruit": Fruit}) is None
    assert explain_class('Parser key "size": Expected a number', {"fruit": Fruit}) is None
    assert explain_class('Parser key "fruit": Expected a number', {"fruit": Fruit}) is None


@pytest.mark.slow
def test_what_is_shipped_is_imported_for_a_short_name_and_for_nothing_else():
    code = (
        "import sys; from gmm.commandline.parser import arguments_of\n"
        "import cellxai.verbs.check as i\n"
        "given = lambda name: arguments_of('x', i.check, ['--data', name, '--data.root', '.'])\n"
        "folder = given('cellxai.data.readers.folder.ImageFolder')['data']\n"
        "assert type(folder).__name__ == 'ImageFolder'\n"
        "assert 'cellxai.data.readers.wbc' not in sys.modules\n"
        "assert type(given('WhiteBloodCells')['data']).__name__ == 'WhiteBloodCells'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
