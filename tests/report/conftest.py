"""A run folder as the verbs leave it, drawn with the real pictures and invented figures."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cellxai.explain.results.score_arrays import Results
from cellxai.explain.tables.export import write_results
from cellxai.figures.density import (
    DetectorScore,
    ScoredImage,
    ThresholdReliability,
    draw_detectors,
    draw_histogram,
    draw_scored_images,
    draw_threshold_reliability,
)
from cellxai.figures.evaluation.confusion import draw_confusion
from cellxai.figures.evaluation.mistakes import MistakePanel, draw_mistakes
from cellxai.figures.evaluation.reliability import ReliabilityPanel, draw_reliability
from cellxai.figures.evaluation.roc import Curve, draw_roc
from cellxai.figures.explanations.comparison import Comparison, draw_comparison
from cellxai.figures.explanations.lime_panels import LimePanels, draw_lime_panels
from cellxai.figures.training_curves import draw_curves

CLASSES = ("astro", "cort", "shsy5y")
PARTS = {"train": 30, "validation": 9, "test": 12}
CONFUSION = np.array([[4, 0, 0], [1, 3, 0], [0, 0, 4]])
EXPLAINERS: tuple[str, ...] = ("lime", "saliency", "integrated_gradients", "grad_cam", "occlusion")
CONFIG = """\
seed: 7
data:
  class_path: cellxai.data.readers.sartorius.Sartorius
  init_args: {root: cells}
model:
  backbone:
    class_path: cellxai.classifier.Timm
    init_args: {name: tf_efficientnetv2_b0, pretrained: false}
training: {max_epochs: 12, learning_rate: 0.001}
split: {validation: 0.2, test: 0.2}
"""


def write_table(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def cell_image(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, 0.5)
    for _ in range(8):
        row, column = generator.random(2) * shape
        distance = np.hypot(y - row, x - column) / (0.08 * shape[0])
        image += 0.3 * np.exp(-((distance - 1.4) ** 2) * 6) - 0.3 * np.exp(-(distance**2))
    return np.repeat(np.clip(image, 0, 1)[..., None], 3, -1)


def write_training(root: Path) -> None:
    versions = {"python": "3.12.3", "torch": "2.11.0", "timm": "1.0.24", "cellxai": "0.1.0"}
    environment = {
        "created": "2026-11-22T06:41:00+00:00",
        "command": "cellxai fit --config configs/fit/sartorius.yaml",
        "device": "cpu (2 threads)",
        "versions": versions,
        "seed": 7,
        "data": {
            "n_images": 51,
            "classes": dict.fromkeys(CLASSES, 17),
            "fingerprint": "sha256:9f2c41d07b",
            "faults": ["train.csv row 17: file train/missing.png does not exist"],
        },
        "n_parameters": 6188372,
        "seconds": 74.2,
        "git_revision": "0a1b2c3",
    }
    (root / "config.yaml").write_text(CONFIG, encoding="utf-8")
    write_json(root / "environment.json", environment)
    split = [
        {"id": f"{part}{i:03d}", "label": CLASSES[i % 3], "group": "", "part": part}
        for part, count in PARTS.items()
        for i in range(count)
    ]
    write_table(root / "split.csv", split)
    epochs = np.arange(12)
    metrics = [
        {
            "epoch": str(epoch),
            "train_loss": f"{1.1 * np.exp(-epoch / 3):.5f}",
            "validation_loss": f"{np.exp(-epoch / 3) + 0.02 * max(epoch - 7, 0) + 0.1:.5f}",
            "train_accuracy": f"{1 - 0.6 * np.exp(-epoch / 3):.5f}",
            "validation_accuracy": f"{1 - 0.65 * np.exp(-epoch / 3):.5f}",
            "learning_rate": "0.001",
        }
        for epoch in epochs
    ]
    write_table(root / "metrics.csv", metrics)
    draw_curves(metrics, root / "curves.png")


def conformal_figures() -> dict:
    judged = {
        "n_images": 12, "n_covered": 11, "coverage": 11 / 12, "interval": [0.646, 0.985],
        "mean_size": 1.25, "n_empty": 0,
    }  # fmt: skip
    lacking = judged | {"coverage": 0.25, "interval": [0.089, 0.532]}
    few = "3 astro calibration images cannot promise 90%"
    return {
        "calibrated_on": "validation",
        "n_images": 9,
        "overall": {
            "0.1": {"unresolved": None, "test": judged},
            "0.2": {"unresolved": None, "test": lacking},
        },
        "by_class": {"0.1": {"unresolved": few, "test": judged}},
    }


def write_evaluation(root: Path) -> None:
    folder = root / "evaluation"
    scores = {
        "precision": 0.93,
        "recall": 0.91,
        "f1": 0.92,
        "support": 4,
        "recall_interval": [0.51, 0.99],
    }
    bins = {"ece": 0.08, "if_calibrated": {"mean": 0.09, "quantile_95": 0.17}}
    part = {
        "n_images": 12,
        "accuracy": 11 / 12,
        "balanced_accuracy": 0.917,
        "per_class": dict.fromkeys(CLASSES, scores),
        "confusion": CONFUSION.tolist(),
        "intervals": {
            "accuracy": [0.6461, 0.9851],
            "balanced_accuracy": None,
            "macro_auroc": [0.941, 1.0],
        },
        "ranking": {
            "macro_auroc": 0.987,
            "per_class": {
                name: {"auroc": area, "average_precision": area and 0.951}
                for name, area in zip(CLASSES, (0.987, 0.987, None), strict=True)
            },
        },
        "calibration": {
            "negative_log_likelihood": 0.31,
            "equal_width": bins,
            "equal_mass": bins,
        },
    }
    after = {"negative_log_likelihood": 0.27, "ece_equal_width": 0.05, "ece_equal_mass": 0.04}
    report = {
        "classes": CLASSES,
        "parts": {"test": part},
        "judged_part": "test",
        "checkpoint": "best",
        "note": "",
        "conformal": conformal_figures(),
        "temperature": {"value": 1.4, "judged_on": "test", "after": after},
        "baseline": {
            "part": "test",
            "accuracy": 0.583,
            "interval": [0.32, 0.807],
            "constant": {"class": "astro", "accuracy": 0.333},
        },
    }
    write_json(folder / "report.json", report)
    steps = np.linspace(0, 1, 5)
    draw_roc(
        [Curve("astro", steps, np.sqrt(steps), 1 - steps / 3, 0.9, 0.8)], folder / "roc.png", "test"
    )
    panel = ReliabilityPanel("bins", np.array([3, 9]), *[np.array([0.7, 0.9])] * 4, error=0.08)
    draw_reliability([panel], folder / "reliability.png", "test")
    image = cell_image(np.random.default_rng(2), (52, 70))
    mistake = MistakePanel("test007", image, "cort", "astro", 0.71, 0.2)
    draw_mistakes([mistake], folder / "mistakes.png", 1)
    right = {"id": "test000", "part": "test", "label": "astro", "predicted": "astro"}
    wrong = {"id": "test007", "part": "test", "label": "cort", "predicted": "astro"}
    write_table(
        folder / "predictions.csv", [right | {"confidence": 0.98}, wrong | {"confidence": 0.71}]
    )
    draw_confusion(CONFUSION, CLASSES, folder / "confusion.png", "test")


def write_density(root: Path) -> None:
    folder, generator = root / "density", np.random.default_rng(0)
    sets = {
        "train": generator.normal(-20, 6, 30),
        "validation": generator.normal(-22, 7, 9),
        "test": generator.normal(-22, 7, 12),
        "phc_u373": -np.exp(generator.normal(9, 1, 37)),
    }
    rows = [
        {"id": f"{name}{i:03d}", "set": name, "label": CLASSES[i % 3], "log_p": score}
        | {"unfamiliar": int(score < -38), "view": "blocks.0"}
        for name, scores in sets.items()
        for i, score in enumerate(scores)
    ]
    write_table(folder / "scores.csv", rows)
    summary = {
        "views": {"tones": {}, "blocks.0": {"meaning": "texture and focus"}, "penultimate": {}},
        "percent": 4.0,
        "promises": [{"line": "39 known images allow 0.1% to 9.0% false alarms at 4 %"}],
        "sets": {
            name: {
                "n_images": len(scores),
                "share_flagged": float((scores < -38).mean()),
                "median": float(np.median(scores)),
                "most_surprised": {"blocks.0": len(scores)},
            }
            for name, scores in sets.items()
        },
        "warnings": ["9 calibration images are few: the 4 % quantile is the lowest of them."],
        "auroc": {"phc_u373": 1.0},
    }
    write_json(folder / "summary.json", summary)
    flagged = {name: scores < -38 for name, scores in sets.items()}
    draw_histogram(sets, flagged, -38.0, folder / "histogram.png", 4.0)
    tiles = [
        ScoredImage(cell_image(generator, (52, 70)), f"test{i:03d}", "test", -20.0 - i, i > 8)
        for i in range(12)
    ]
    draw_scored_images({"least typical": tiles}, folder / "extremes.png")
    write_reliability(folder)
    write_detectors(folder)


def write_reliability(folder: Path) -> None:
    rows = [
        {"nominal_percent": nominal, "measured_share": share, "low": low, "high": high, "n": 12}
        for nominal, share, low, high in ((1.0, 0.0, 0.0, 0.243), (4.0, 0.417, 0.193, 0.681))
    ]
    write_table(folder / "reliability.csv", rows)
    columns = [np.array([0.01, 0.04]), *(np.array([row[name] for row in rows])
               for name in ("measured_share", "low", "high"))]  # fmt: skip
    kinds = {"validation images": ThresholdReliability(*columns, n_images=12)}
    draw_threshold_reliability(kinds, folder / "reliability.png", 4.0)


def write_detectors(folder: Path) -> None:
    areas = {"energy": 0.612, "density": 0.993}
    rows = [
        {"detector": name, "set": "phc_u373", "n_in": 12, "n_out": 37}
        | {"auroc": area, "auroc_low": area - 0.1, "auroc_high": area}
        | {"fpr95": 0.123, "fpr95_low": 0.05, "fpr95_high": 0.2, "aupr_in": 0.7, "aupr_out": 0.8}
        for name, area in areas.items()
    ]
    write_table(folder / "detectors.csv", rows)
    scores = [DetectorScore(name, "phc_u373", area, 0.5, 1.0) for name, area in areas.items()]
    draw_detectors(scores, folder / "detectors.png", ["density"])


def write_explanations(root: Path) -> None:
    folder, generator = root / "explain", np.random.default_rng(1)
    superpixels = np.arange(52 * 70).reshape(52, 70) // 70 // 9 * 7 + np.arange(70) // 10
    entries = []
    for number, label in enumerate(CLASSES):
        image = cell_image(generator, (52, 70))
        coefficients = generator.normal(0, 0.1, superpixels.max() + 1)
        name, title = f"test{number:03d}", f"test{number:03d}: {label}, probability 0.98"
        panels = LimePanels(image, superpixels, coefficients, title)
        draw_lime_panels(panels, folder / f"{name}_lime.png")
        values: np.ndarray = coefficients[superpixels]
        maps = dict.fromkeys(EXPLAINERS, values)
        notes = dict.fromkeys(EXPLAINERS, "500 forwards, 6.1 s, ok")
        draw_comparison(Comparison(title, image, maps, notes), folder / f"{name}.png")
        write_saved_maps(folder / "maps" / f"{name}.safetensors", image, superpixels, maps)
        cost = {"status": "ok", "reason": "", "forwards": 500, "backwards": 0, "seconds": 6.1}
        costs = {key: cost | {"surrogate_r2": None} for key in EXPLAINERS}
        costs["lime"]["surrogate_r2"] = 0.71
        costs["guided_backprop"] = costs["saliency"] | {
            "status": "degraded",
            "reason": "equals the plain gradient: this network has no ReLU to override",
        }
        entry = {"id": name, "label": label, "predicted": label, "target": label}
        pictures = {"lime": f"{name}_lime.png", "comparison": f"{name}.png"}
        entries.append(
            entry | pictures | {"probability": 0.98, "part": "test", "explainers": costs}
        )
    settings = {"superpixels": "slic, 60 segments", "baseline": "blur, sigma 8 px"}
    write_json(folder / "index.json", settings | {"images": entries})


def write_saved_maps(
    path: Path, image: np.ndarray, superpixels: np.ndarray, maps: dict[str, np.ndarray]
) -> None:
    """Writes what ``explain`` keeps beside its pictures; each method's map is another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"map/{name}": ((-1) ** number * (number + 1) * values).astype(np.float32)
        for number, (name, values) in enumerate(maps.items())
    }
    pixels = np.ascontiguousarray(image.transpose(2, 0, 1).astype(np.float32))
    save_file(tensors | {"image": pixels, "superpixels": superpixels.astype(np.int32)}, path)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, invented_results: Results) -> Path:
    """Never written to: a test that breaks something copies it."""
    root = tmp_path_factory.mktemp("runs") / "sartorius"
    root.mkdir()
    for write in (write_training, write_evaluation, write_density, write_explanations):
        write(root)
    write_results(root / "benchmark", invented_results)
    return root


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run to write into."""
    return Path(shutil.copytree(finished_run, tmp_path / "sartorius"))
