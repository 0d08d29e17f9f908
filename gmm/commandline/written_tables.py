"""The option tables of whole programs, as they are written beside their verbs."""

from collections.abc import Mapping

from gmm.commandline.options import OptionTable
from gmm.commandline.parser import parser_of
from gmm.commandline.program import Verb
from gmm.commandline.tables import table_of


def tables_of(program: str, verbs: Mapping[str, Verb]) -> dict[str, OptionTable]:
    """The table of every verb. In a process of its own: classes are those that it imports."""
    tables = {}
    for name, verb in verbs.items():
        parser = parser_of(f"{program} {name}", verb.load())
        tables[name] = table_of(parser, parser.required_names)
    return tables
