"""All that needs a GPU, in one go: ``python scripts/gpu_check.py --out gpu.json``.

Sections go from the most valuable to the least. Each is written when it ends, so that a machine
that is taken away loses one; one that lacks a package is left out, and says which. ``--pretend``
runs the same code on the pretended device of the tests, whose times mean nothing, and ``--tiny``
with little work.
"""

import argparse
import json
import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
BUDGET_S = 540  # what would not end within it is left out


@dataclass(frozen=True)
class Section:
    """A part of the check.

    Args:
        module: Where its function is; imported late, since it may lack a package.
        function: Its name.
        seconds: What it is expected to take on an H200; not measured.
        is_told: Whether the function is told if the device is pretended.
    """

    module: str
    function: str
    seconds: int
    is_told: bool = False

    def run(self, tiny: bool, pretended: bool) -> dict[str, Any]:
        """What it finds."""
        work: Callable[..., dict[str, Any]] = getattr(__import__(self.module), self.function)
        return work(tiny, pretended) if self.is_told else work(tiny)


SECTIONS = {
    "ceilings": Section("gpu_check_measures", "ceilings", 10),
    "mixtures agree": Section("gpu_check_gmm", "mixtures_agree", 60),
    "trainings agree": Section("gpu_check_training", "trainings_agree", 110, is_told=True),
    "explainers agree": Section("gpu_check_explain", "explainers_agree", 50),
    "pixels agree": Section("gpu_check_explain", "pixels_agree", 5),
    "mixture speed": Section("gpu_check_gmm", "mixture_speed", 45),
    "LIME speed": Section("gpu_check_explain", "lime_speed", 60),
    "training speed": Section("gpu_check_training", "training_speed", 90, is_told=True),
    "verbs": Section("gpu_check_training", "verbs", 100, is_told=True),
}


def run_section(section: Section, tiny: bool, pretended: bool) -> dict[str, Any]:
    """What a section found, what it lacked, or how it failed; and how long it took."""
    begun = time.perf_counter()
    try:
        outcome: dict[str, Any] = {"found": section.run(tiny, pretended)}
    except ImportError as error:
        outcome = {"skipped": f"{error}; install {error.name}"}
    except Exception as error:  # the other sections are still worth their time
        outcome = {"failed": f"{type(error).__name__}: {error}"[:500]}
        outcome["at"] = traceback.format_exc()[-1500:]
    return outcome | {"seconds": round(time.perf_counter() - begun, 1)}


def pretend() -> None:
    """Makes the device of the tests, for this process and those that it starts."""
    support = str(REPOSITORY / "tests" / "support")
    sys.path.insert(0, support)
    paths = [str(REPOSITORY), support, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    __import__("pretended_cuda").install()


def describe(pretended: bool) -> dict[str, Any]:
    """What was checked, and where."""
    import torch

    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(),
        "pretended": pretended,
        "sections": {},
    }


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds in all")
    parser.add_argument("--pretend", action="store_true", help="no GPU: times mean nothing")
    parser.add_argument("--tiny", action="store_true", help="little work")
    return parser.parse_args()


def main() -> None:
    options, begun = read_arguments(), time.perf_counter()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # repeatable matrix products
    warnings.simplefilter("ignore")  # of fits that are stopped early, on purpose
    if options.pretend:
        pretend()
    import torch

    if not torch.cuda.is_available():
        sys.exit("gpu_check: torch sees no CUDA device; pass --pretend to try the code without one")
    result = describe(options.pretend)
    for name in options.sections:
        section = SECTIONS[name]
        expected = 0 if options.tiny else section.seconds
        if time.perf_counter() - begun + expected > options.budget:
            outcome: dict[str, Any] = {"skipped": "no time left"}
        else:
            outcome = run_section(section, options.tiny, options.pretend)
        result["sections"][name] = outcome
        options.out.write_text(json.dumps(result, indent=1, default=str), encoding="utf-8")
        print(name, {key: value for key, value in outcome.items() if key != "found"}, flush=True)
    failed = [name for name, outcome in result["sections"].items() if "failed" in outcome]
    sys.exit(f"gpu_check: failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
