"""Plain typed functions as the verbs of a command line, with configs and errors of one line."""

from gmm.commandline.program import Verb, run

__all__ = ["Verb", "run"]
