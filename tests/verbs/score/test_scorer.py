from pathlib import Path

import numpy as np
import pytest
import torch
from score_rows import rows_in

from cellxai.adapters.place_density import read_place_density
from cellxai.data.records import Record
from cellxai.density.pipeline import DensityPipeline
from cellxai.trained import image_stream as imagestream
from cellxai.trained.run import load_run
from cellxai.verbs.score import score
from cellxai.verbs.score.table import COLUMNS


@pytest.mark.renders
def test_rows_hold_what_classifier_and_density_say(run, plate, tmp_path):
    result = score(run, str(plate), tmp_path / "out", device="cpu")
    rows, trained = rows_in(tmp_path / "out"), load_run(run, "cpu")
    assert list(rows[0]) == list(COLUMNS)
    assert [row["path"] for row in rows] == [str(path) for path in sorted(plate.glob("*.png"))]
    (chunk,) = imagestream.stream_outputs(
        [trained.images.all_records[0].__class__(row["id"], Path(row["path"]), "") for row in rows],
        trained.transforms, trained.classifier.features, trained.device,
    )  # fmt: skip
    features, pipeline = chunk.outputs, DensityPipeline.load(run / "density/pipeline.safetensors")
    with torch.no_grad():
        likeliest = trained.classifier.head[-1](features).softmax(1).max(1)
    numbers = {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS[4:8]}
    np.testing.assert_allclose(numbers["probability"], likeliest.values, atol=1e-6)
    assert [row["predicted"] for row in rows] == [trained.classes[i] for i in likeliest.indices]
    expected = pipeline.score_samples(features.double()).numpy()
    np.testing.assert_allclose(numbers["log_density"], expected, atol=1e-5)
    of_class = pipeline.class_log_density(features.double(), likeliest.indices).numpy()
    np.testing.assert_allclose(numbers["class_log_density"], of_class, atol=1e-5)
    assert (numbers["unfamiliar"] == pipeline.unfamiliar(features)).all()
    assert (result.n_images, result.n_before) == (10, 0)
    assert result.n_unfamiliar == numbers["unfamiliar"].sum()
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_density_of_places_stands_beside_the_other_and_changes_nothing_of_it(
    run, run_with_places, plate, tmp_path
):
    score(run, str(plate), tmp_path / "without", device="cpu")
    result = score(run_with_places, str(plate), tmp_path / "out", device="cpu")
    own = ("places_log_density", "places_unfamiliar")
    before, rows = rows_in(tmp_path / "without"), rows_in(tmp_path / "out")
    assert {row[name] for row in before for name in own} == {""}
    assert [row | dict.fromkeys(own, "") for row in rows] == before
    trained = load_run(run_with_places, "cpu")
    places = read_place_density(trained)
    records = [Record(name, plate / f"{name}.png", "")
               for name in (Path(row["path"]).stem for row in rows)]  # fmt: skip
    (chunk,) = imagestream.stream_outputs(records, trained.transforms, places, trained.device)
    assert [row["places_log_density"] for row in rows] == [f"{x:.6f}" for x in chunk.outputs[:, 0]]
    flags = places.threshold.flags(chunk.outputs[:, 0].double().numpy())
    assert [row["places_unfamiliar"] for row in rows] == [str(int(flag)) for flag in flags]
    assert result.n_places_unfamiliar == flags.sum()
    assert f"least known places: {flags.sum()} unfamiliar" in str(result)
