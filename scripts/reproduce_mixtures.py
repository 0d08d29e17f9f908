"""Every figure and number of the mixtures lesson: blobs, shapes, anomalies, criteria, moons, faces.

python scripts/reproduce_mixtures.py --out runs/mixtures [--data_home FOLDER]
cost: 2 min of one CPU core; expect: lesson.md, numbers.json, 16 pictures; weights 0.40 0.39 0.21,
least BIC at 3 components, 3 of 10 Bayesian components kept, 260 principal components of faces, and
a table that shows that the lesson's separation of spoilt faces is memorisation

The faces are read with scikit-learn's fetch_olivetti_faces from --data_home (its own folder if not
given) and never downloaded; without them the page ends at the moons.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mixtures_lesson import bayesian, blobs, choosing, faces, memorisation
from mixtures_lesson.page import Section, write_page, write_pictures

Draft = Callable[[], Section]


def plane_drafts() -> Iterator[Draft]:
    x = blobs.three_blobs()
    for section in (
        blobs.fit_section,
        blobs.shapes_section,
        blobs.sampling_section,
        blobs.anomalies_section,
        choosing.criteria_section,
        choosing.search_section,
        bayesian.pruning_section,
        bayesian.prior_section,
    ):
        yield partial(section, x)
    yield bayesian.moons_section


def face_drafts(data_home: Path | None) -> Iterator[Draft]:
    photos, people = faces.load_faces(data_home)
    model = faces.FaceModel(photos, people)
    for section in (faces.clusters_section, faces.generated_section, faces.bad_faces_section):
        yield partial(section, model)
    yield partial(memorisation.held_out_section, photos, people)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--data_home", type=Path, help="folder that holds olivetti_py3.pkz")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    drafts, remarks = list(plane_drafts()), []
    try:
        drafts += face_drafts(options.data_home)
    except FileNotFoundError as missing:
        remarks = [str(missing)]
        print(missing)
    sections = []
    for draft in drafts:
        sections.append(draft())
        write_pictures(sections[-1], options.out)
        print(f"{sections[-1].title}: {', '.join(each.name for each in sections[-1].pictures)}")
    write_page(sections, remarks, options.out)
    print(f"written: {options.out / 'lesson.md'}")


if __name__ == "__main__":
    main()
