"""``python -m pretended_cuda VERB …``: the verbs of ``cellxai`` with a pretended device."""

import sys

from pretended_cuda.driver import install

if __name__ == "__main__":
    install()
    from cellxai.cli import main

    sys.exit(main())
