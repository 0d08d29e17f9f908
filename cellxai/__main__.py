"""``python -m cellxai`` is the command line."""

from cellxai.cli import main

main()
