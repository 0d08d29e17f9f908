"""Fixtures shared by all tests."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

# One thread in each test process, told before torch is imported: two processes of two threads on
# two cores spend most of their time waiting for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
from browsers import open_chromium
from checked_shapes import check_shapes

# Shapes and dtypes are checked where the maths is. Not in what a user calls first: there, wrong
# values are tested on purpose, and the answer has to be its own error and not the checker's.
CHECKED = [
    "cellxai.adapters.explained_images", "cellxai.adapters.familiarity",
    "cellxai.adapters.removal", "cellxai.classifier", "cellxai.data", "cellxai.density",
    "cellxai.evaluation", "cellxai.explain", "cellxai.intervals",
    "cellxai.trained.image_sets", "cellxai.trained.image_stream", "cellxai.trained.layers",
    "cellxai.trained.rows", "cellxai.trained.run",
    "cellxai.training", "cellxai.verbs.crossvalidate", "cellxai.verbs.density",
    "cellxai.verbs.evaluate", "cellxai.verbs.explain", "cellxai.verbs.export.loading",
    "cellxai.verbs.export.network", "cellxai.verbs.fit", "cellxai.verbs.preview.summaries",
    "gmm.anomaly", "gmm.covariance", "gmm.crossfitting",
    "gmm.em.completion", "gmm.em.conditionals", "gmm.em.conditioning", "gmm.em.criteria",
    "gmm.em.deconvolution", "gmm.em.initialization", "gmm.em.likelihood", "gmm.em.log_density",
    "gmm.em.loop", "gmm.em.objective", "gmm.em.stepwise", "gmm.em.sticks", "gmm.em.variational",
    "gmm.samples.in_memory", "gmm.samples.statistics", "gmm.samples.survey",
]  # fmt: skip
check_shapes(CHECKED)

# What is imported stays: to look through it for garbage, again and again, finds nothing.
gc.disable()


def pytest_collection_finish() -> None:
    """Garbage is collected from here on, of the tests alone."""
    gc.freeze()
    gc.enable()


# No test is timed, for the first example of a property pays for imports; and none is drawn anew.
hypothesis.settings.register_profile("untimed", deadline=None, derandomize=True)
hypothesis.settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, read-only; CI always has it."""
    folder = Path(os.environ.get("CELLXAI_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real data at {folder}; set CELLXAI_DATA to the folder that holds it"
        if os.environ.get("CI") == "true" and (REPOSITORY.parent / "shared").exists():
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on 24 synthetic images with masks and causes; verbs may add their folders."""
    # Imported here: the tests of `gmm` and of the data need neither Lightning nor timm.
    from cellxai.classifier.backbone import TimmBackbone
    from cellxai.classifier.module import ModelSettings
    from cellxai.data.pixels.transforms import Transforms
    from cellxai.data.readers.sartorius import Sartorius
    from cellxai.training.settings import TrainingSettings
    from cellxai.verbs.fit import fit
    from cellxai.verbs.synthesize import synthesize

    folder = tmp_path_factory.mktemp("tiny")
    synthesize(folder / "cells", n_images=24, height=64, width=64)
    fit(
        Sartorius(folder / "cells"),
        folder / "run",
        transforms=Transforms(image_size=(64, 64)),
        model=ModelSettings(TimmBackbone("test_efficientnet")),
        training=TrainingSettings(epochs=2, batch_size=8, device="cpu"),
    )
    return folder / "run"


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A real browser; skips where there is none."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def unrendered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is composed as ever and saved as a blank: to render it takes longer than a fit.

    What a fixture of a module or of the session draws, and a test that is marked ``renders``, is
    rendered; and so is all in ``tests/figures``, which looks at the pixels.
    """
    if request.node.get_closest_marker("renders") is None:
        from PIL import Image

        def save_blank(_, path: Path, **__: object) -> None:
            Image.new("L", (1, 1)).save(path, "PNG")

        monkeypatch.setattr("matplotlib.figure.Figure.savefig", save_blank)


HOLDER = """
import sys
from pathlib import Path
from cellxai.files.lock import file_lock, run_lock
with {lock}:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_by_another() -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Starts a process that holds the lock of a path until its input ends or it is killed."""
    with ExitStack() as processes:

        def start(lock: str, path: Path) -> subprocess.Popen[str]:
            process = processes.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLDER.format(lock=lock), str(path)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
            processes.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            return process

        yield start


@pytest.fixture(scope="session")
def invented_results():
    """A benchmark as a store would hold it: 5 explainers, 2 controls, 3 metrics, 12 images.

    LIME is the best and each explainer worse by 0.05 than the one before; Grad-CAM is degenerate on
    one image, guided backpropagation unsupported, and a quarter of the images have no mask.
    """
    import numpy as np

    from cellxai.explain.results.rows import Answer, Measure, ScoreRow
    from cellxai.explain.results.score_arrays import Results

    metrics = {
        "deletion": ("faithfulness", "lower"),
        "insertion": ("faithfulness", "higher"),
        "cells_hit": ("localisation", "higher"),
    }
    names = ("lime", "saliency", "occlusion", "grad_cam", "guided_backprop", "edges", "random")
    generator = np.random.default_rng(0)
    rows, answers, inapplicable = [], [], set()
    for i in range(12):
        truth = generator.normal(size=16)
        for place, name in enumerate(names):
            status = "unsupported" if name == "guided_backprop" else "ok"
            empty = status != "ok" or (name == "grad_cam" and i == 0)
            evidence = None if empty else truth + 0.3 * place * generator.normal(size=16)
            reason = "no ReLU to override" if status != "ok" else ""
            key = (f"test{i:03d}", name)
            answers.append(
                Answer(*key, 0, 0, status, reason, 500, 0, 6.1 / (1 + place), evidence=evidence)
            )
            for metric, (family, direction) in metrics.items():
                if family == "localisation" and i % 4 == 3:
                    inapplicable.add((key[0], metric))
                    continue
                worse = (0.05 if direction == "lower" else -0.05) * place
                value = float("nan") if empty else 0.5 + worse + 0.1 * (-1) ** i
                chance = 0.033 if family == "localisation" else float("nan")
                rows.append(ScoreRow(*key, metric, 0, value, chance, status, reason, 500, 0, 6.1))
    measures = {
        name: Measure(name, name, *about, 0.0, 1.0, "A. Author 2020")
        for name, about in metrics.items()
    }
    return Results(rows, answers, measures, frozenset(inapplicable), frozenset({"edges", "random"}))
