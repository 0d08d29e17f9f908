"""Writes what `--help` and mistyped options are answered from, after a verb's options changed.

python scripts/write_help.py           # writes gmm/verbs/help.json and cellxai/verbs/help.json
python scripts/write_help.py --check   # exits 1 where a file is not what would be written
"""

import argparse
import sys

import cellxai.cli
import gmm.cli
from gmm.commandline.options import tables_as_text, write_tables
from gmm.commandline.written_tables import tables_of


def main() -> None:
    """Writes or checks the tables of both programs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = []
    for program in (gmm.cli, cellxai.cli):
        tables = tables_of(program.PROGRAM, program.VERBS)
        if check and program.TABLES.read_text(encoding="utf-8") != tables_as_text(tables):
            stale.append(program.TABLES)
        if not check:
            write_tables(tables, program.TABLES)
    for path in stale:
        print(f"{path} is of other options than the verbs have; run scripts/write_help.py")
    sys.exit(bool(stale))


if __name__ == "__main__":
    main()
