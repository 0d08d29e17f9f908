"""Tests of a process that has a CUDA device; ``tests/test_on_cuda.py`` pretends one.

Never in the usual process: whoever has a CUDA device once has it until the process ends.
"""

import sys

collect_ignore_glob = [] if "pretended_cuda.plugin" in sys.modules else ["test_*.py"]
