import inspect
from dataclasses import fields
from pathlib import Path

from cellxai.data.readers.folder import ImageFolder
from cellxai.files.config import as_config
from cellxai.training.run_settings import RunSettings
from cellxai.verbs.crossvalidate import crossvalidate
from cellxai.verbs.fit import fit


def test_settings_of_a_run_have_the_names_types_and_defaults_of_fit():
    taken = inspect.signature(RunSettings).parameters.values()
    given = inspect.signature(fit).parameters.values()
    assert [(argument.name, argument.annotation, argument.default) for argument in taken] == [
        (argument.name, argument.annotation, argument.default) for argument in given
    ]


def test_crossvalidate_takes_the_arguments_of_fit():
    taken, given = (inspect.signature(verb).parameters.values() for verb in (fit, crossvalidate))
    assert [(argument.name, argument.annotation) for argument in taken] == [
        (argument.name, argument.annotation) for argument in given
    ]


def test_settings_are_recorded_under_the_names_of_the_arguments():
    recorded = as_config(RunSettings(ImageFolder(Path("cells")), Path("run")))
    assert list(recorded) == [field.name for field in fields(RunSettings)]


def test_images_keep_their_size_unless_the_network_names_one():
    settings = RunSettings(ImageFolder(Path("cells")), Path("run"))
    assert settings.at_own_size() is settings
