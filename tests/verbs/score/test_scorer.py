from pathlib import Path

import numpy as np
import pytest
from score_rows import rows_in

from cellxai.data.readers.unlabelled import records_of_files
from cellxai.data.records import Scan, Source
from cellxai.density.observing import observe_run
from cellxai.density.pipeline import DensityPipeline
from cellxai.trained.run import load_run
from cellxai.verbs.score import score
from cellxai.verbs.score.table import COLUMNS


class Named(Source):
    """A source of the images in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scan(self) -> Scan:
        return Scan(tuple(records_of_files(sorted(self.folder.glob("*.png")))), (), ())


@pytest.mark.renders
def test_rows_hold_what_classifier_and_density_say(run, plate, tmp_path):
    result = score(run, str(plate), tmp_path / "out", device="cpu")
    rows, trained = rows_in(tmp_path / "out"), load_run(run, "cpu")
    assert list(rows[0]) == list(COLUMNS)
    assert [row["path"] for row in rows] == [str(path) for path in sorted(plate.glob("*.png"))]
    pipeline = DensityPipeline.load(run / "density/pipeline.safetensors")
    images = observe_run(trained, pipeline.views).other("plate", Named(plate))
    likeliest = images.logits.softmax(1).max(1)
    numbers = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("probability", "p_known", "log_p", "unfamiliar")
    }
    np.testing.assert_allclose(numbers["probability"], likeliest.values, atol=1e-6)
    assert [row["predicted"] for row in rows] == [trained.classes[i] for i in likeliest.indices]
    verdicts = pipeline.judge(images.rows)
    np.testing.assert_allclose(numbers["p_known"], verdicts.p, atol=1e-6)
    np.testing.assert_allclose(numbers["log_p"], verdicts.evidence, atol=1e-2)
    assert (numbers["unfamiliar"] == verdicts.flagged.numpy()).all()
    names = list(pipeline.views)
    assert [row["view"] for row in rows] == [names[int(i)] for i in verdicts.most_surprised]
    assert (result.n_images, result.n_before) == (10, 0)
    assert result.n_unfamiliar == numbers["unfamiliar"].sum()
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")
