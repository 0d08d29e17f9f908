"""The verbs of the command line: one file or folder for each, named like it."""
