"""``python -m gmm`` is the command line."""

from gmm.cli import main

main()
