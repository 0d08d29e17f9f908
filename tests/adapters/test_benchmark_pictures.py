import json
from dataclasses import replace

import pytest
from PIL import Image

from cellxai.adapters.benchmark_pictures import draw_results
from cellxai.explain.results.rows import Answer
from cellxai.explain.results.score_arrays import Results


@pytest.fixture(scope="module")
def folder(invented_results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    draw_results(folder, invented_results)
    return folder


def listed(folder) -> list[dict[str, str]]:
    return json.loads((folder / "pictures.json").read_text(encoding="utf-8"))


def test_every_family_has_its_two_pictures_and_the_whole_its_own(folder):
    pictures = [(picture["family"], picture["file"]) for picture in listed(folder)]
    assert pictures == [
        ("", "rank_table.png"),
        ("faithfulness", "critical_difference_1_faithfulness.png"),
        ("faithfulness", "pareto_1_faithfulness.png"),
        ("localisation", "critical_difference_2_localisation.png"),
        ("localisation", "pareto_2_localisation.png"),
        ("", "agreement.png"),
    ]
    for _, file in pictures:
        with Image.open(folder / file) as picture:
            assert min(picture.size) > 100


def test_the_words_for_a_picture_say_what_is_on_it(folder):
    alt = {picture["file"]: picture["alt"] for picture in listed(folder)}
    assert "the best lime" in alt["critical_difference_1_faithfulness.png"]
    # Each explainer is worse and cheaper than the one before, so all are on the front.
    front = alt["pareto_1_faithfulness.png"].split(" than ")[1]
    assert front == "grad_cam, lime, occlusion, saliency, edges, random."
    assert "lime" in alt["agreement.png"]


def test_a_hostile_family_stays_in_the_folder(invented_results, tmp_path):
    measures = {
        name: replace(measure, family=f"../../{measure.family}/$x$")
        for name, measure in invented_results.measures.items()
    }
    results = replace(invented_results, measures=measures, answers=[])
    draw_results(tmp_path / "deep", results)
    files = {picture["file"] for picture in listed(tmp_path / "deep")}
    assert "critical_difference_1_faithfulness_x.png" in files
    assert {path.name for path in (tmp_path / "deep").iterdir()} == files | {"pictures.json"}


def test_what_cannot_be_compared_is_not_drawn(tmp_path):
    draw_results(tmp_path, Results([], [Answer("a", "lime", 0, 0, "ok", "")], {}))
    assert listed(tmp_path) == []
