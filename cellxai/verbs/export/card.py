"""The card beside exported weights: what the model is, what it takes, how good it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellxai.data.pixels.planes import describe
from cellxai.data.pixels.steps import CLAHE_CLIP_LIMIT, CLAHE_TILES
from cellxai.data.pixels.transforms import Transforms
from cellxai.files.config import as_config, read_config
from cellxai.files.folder import read_json
from cellxai.files.identity import hash_file, hash_json, hash_tensors
from cellxai.trained.run import TrainedRun
from cellxai.verbs.export.network import keep_preparation, make_portable

FORMAT = "cellxai.export"
VERSION = 1
CARD = "card.json"
WEIGHTS = "model.safetensors"
PROGRAM = "model.pt2"
REPEATED = "divide by 255; a grey plane is repeated three times"


def describe_model(trained: TrainedRun, sha256: Mapping[str, str]) -> dict[str, Any]:
    """Everything that another machine has to know of a trained run.

    Args:
        trained: The run.
        sha256: Hash of each file beside the card.
    """
    environment = read_json(trained.folder.environment)
    classifier = trained.classifier
    card = {
        "format": FORMAT,
        "version": VERSION,
        "classes": list(trained.classes),
        "input": {
            "image_size": list(trained.transforms.image_size),
            "channels": trained.transforms.n_inputs,
            "planes": list(trained.transforms.plane_names) or trained.transforms.planes,
            "range": [0, 1],
            "mean": [round(value, 6) for value in classifier.mean.flatten().tolist()],
            "std": [round(value, 6) for value in classifier.std.flatten().tolist()],
            "preparation": list_steps(trained.transforms),
        },
        "transforms": as_config(keep_preparation(trained.transforms)),
        "network": make_portable(read_config(trained.folder.config)["model"]),
        "checkpoint": trained.checkpoint,
        **read_figures(trained),
        "data": environment.get("data"),
        "seed": environment.get("seed"),
        "git_revision": environment.get("git_revision"),
        "versions": environment.get("versions"),
        "files": dict(sha256),
    }
    return {**card, "sha256": hash_json(card)}


def list_steps(transforms: Transforms) -> list[str]:
    """The steps from a file to the network's input, in their order."""
    height, width = transforms.image_size
    tiles = f"{CLAHE_TILES[0]}×{CLAHE_TILES[1]} tiles"
    of = f" of {', '.join(transforms.clahe)}" if isinstance(transforms.clahe, list) else ""
    equalised = [f"CLAHE{of}, clip limit {CLAHE_CLIP_LIMIT}, {tiles}, at full resolution"]
    return [
        f"16-bit pixels to 8 bits by the rule {transforms.sixteen_bit!r} of transforms",
        describe_colour(transforms),
        *(equalised if transforms.clahe else []),
        f"resize to height {height}, width {width}: by area where both shrink, else linearly",
        "divide by 255" if transforms.plane_names else REPEATED,
        "inside the network: subtract mean, divide by std",
    ]


def describe_colour(transforms: Transforms) -> str:
    """What becomes of the planes of a file."""
    if transforms.plane_names:
        return f"planes, each for itself: {describe(transforms.planes)}"
    grey = transforms.planes == "grey"
    return "colour to one grey plane, ITU-R BT.601" if grey else "grey to RGB"


def read_figures(trained: TrainedRun) -> dict[str, Any]:
    """Metrics with intervals and the temperature, from an evaluation of these very weights."""
    source = trained.folder.evaluation / "report.json"
    if not source.exists():
        reason = "not evaluated; `cellxai evaluate` before the export puts the figures here"
        return {"metrics": None, "metrics_problem": reason, "temperature": None}
    report = read_json(source)
    if report.get("weights") != hash_tensors(trained.classifier.state_dict()):
        reason = "evaluation/report.json is of other weights; run `cellxai evaluate` again"
        return {"metrics": None, "metrics_problem": reason, "temperature": None}
    judged = report["judged_part"]
    part = report["parts"][judged]
    names = ("n_images", "accuracy", "balanced_accuracy", "macro_f1", "intervals", "ranking")
    metrics = {name: part[name] for name in names}
    return {
        "metrics": {
            "part": judged, "note": report["note"], **metrics,
            "expected_calibration_error": part["calibration"]["equal_width"]["ece"],
            "baseline": report["baseline"],
        },
        "metrics_problem": None,
        "temperature": report["temperature"],
    }  # fmt: skip


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an export; the card and its files are whole and unaltered.

    The hashes find damage and careless edits. They are no signature: whoever rewrites a file can
    rewrite its hash as well, so nothing here runs code that a file names.

    Raises:
        FileNotFoundError: If there is no card, or a file that it names is missing.
        ValueError: If the card or a file does not have its SHA-256.
    """
    path = folder / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CARD}; expected the --out of `cellxai export`")
    card = parse_card(path)
    for name, expected in card["files"].items():
        file = folder / Path(name).name
        if not file.is_file():
            raise FileNotFoundError(f"{file}: missing beside {path}; export again")
        if hash_file(file) != expected:
            raise ValueError(f"{file}: damaged or altered, its SHA-256 is not that of {path}")
    return card


def parse_card(path: Path) -> dict[str, Any]:
    """The values of a card that has its own SHA-256.

    Raises:
        ValueError: If it is not a card, or was altered.
    """
    try:
        card = json.loads(path.read_bytes())
        kind, version, expected = card["format"], card["version"], card.pop("sha256")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: not a card of `cellxai export`; export again") from error
    if (kind, version) != (FORMAT, VERSION):
        raise ValueError(f"{path}: {kind} {version}, expected {FORMAT} {VERSION}")
    if expected != hash_json(card):
        raise ValueError(f"{path}: damaged or altered, its content does not have its SHA-256")
    return card
