"""What a run was made with, so that its folder is evidence on its own."""

import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from cellxai.data.frames.reading import ImagePart
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.records import Fault, Record
from cellxai.data.splits import PARTS
from cellxai.files.folder import read_json
from cellxai.files.identity import hash_content, hash_file

NAMED = ("cellxai", "torch", "torchvision", "timm", "lightning", "captum", "lime", "albumentations",
         "opencv-python-headless", "scikit-learn", "numpy")  # fmt: skip
START = ("created", "command", "device", "git_revision")  # what may differ between two starts


def describe_environment(
    seeds: Mapping[str, int], device: str, n_parameters: int
) -> dict[str, Any]:
    """Versions, device, seeds and command of this process."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "device": device,
        "float32_products": describe_products(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in NAMED},
        },
        "platform": platform.platform(),
        **seeds,
        "n_parameters": n_parameters,
        "git_revision": git_revision(),
    }


def describe_products() -> dict[str, str]:
    """How a CUDA device multiplies float32 numbers: ``tf32`` rounds the factors to 11 bits.

    It is what torch was told by whoever started the process; a CPU never rounds.
    """
    backends: Any = torch.backends
    switches = {"convolution": backends.cudnn.conv, "matmul": backends.cuda.matmul}
    return {
        name: "tf32" if switch.fp32_precision == "tf32" else "exact"
        for name, switch in switches.items()
    }


def describe_start(environment: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of ``starts``: a run that was killed has several, each with its own cost."""
    return {**{name: environment[name] for name in START}, "seconds": 0.0}


def earlier_starts(path: Path) -> list[dict[str, Any]]:
    """The starts that ``environment.json`` of an unfinished run lists; none without a file."""
    return read_json(path).get("starts", []) if path.exists() else []


def total_seconds(starts: Sequence[Mapping[str, Any]]) -> float:
    """What all starts together have cost."""
    return round(sum((start["seconds"] for start in starts), 0.0), 1)


def describe_data(
    records: Sequence[Record], faults: Sequence[Fault], notes: Sequence[Fault] = ()
) -> dict[str, Any]:
    """Counts and the fingerprint of a data set."""
    return {
        "n_images": len(records),
        "classes": dict(sorted(Counter(record.label for record in records).items())),
        "fingerprint": hash_records(records),
        "synthetic": all(record.load_cause is not None for record in records),
        "faults": [str(fault) for fault in faults],
        "notes": [str(note) for note in notes],
    }


def describe_split(images: CellImages, path: Path) -> dict[str, Any]:
    """How many images are in each part, and the fingerprint of the table that says which."""
    counts = {part: len(images.records(part)) for part in PARTS}
    return {**counts, "fingerprint": hash_file(path)}


def hash_records(records: Sequence[Record]) -> str:
    """SHA-256 of the ids, the labels and the bytes of all images, in the order of the ids.

    Of a part of an image also what part it is: cells of other masks are other images.
    """
    # A file of many cells is read once.
    files = {path: hash_file(path) for path in {path for r in records for path in r.files}}
    ordered = sorted(records, key=lambda record: record.id)
    return hash_content(
        *(
            "\0".join([record.id, record.label, *(files[path] for path in record.files)])
            + f"{describe_part(record)}\n"
            for record in ordered
        )
    )


def describe_part(record: Record) -> str:
    """Which part of its file a record is; empty where it is all of it."""
    part = record.load_image
    return f"\0{part.identity}" if isinstance(part, ImagePart) else ""


def git_revision() -> str | None:
    """Commit of the working directory, ``+`` behind it where files differ; ``None`` outside git."""
    try:
        revision = git("rev-parse", "--short=12", "HEAD")
        return revision + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def git(*words: str) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
