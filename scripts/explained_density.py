"""Is a planted foreign object flagged, and do maps of the log density point at it? All explainers.

python scripts/explained_density.py --run runs/quickstart --out runs/quickstart/foreign
cost: 6 min on 1 CPU core; expect: a table of explainers x pointing game, and `anomalies.png`

New synthetic scenes, like those of the run but of another seed, are rendered with and without one
fibre, bubble, flake of dust or crystal; everything else is equal bit for bit. The run's density, of
`cellxai density`, says which images it does not know, and every explainer explains that. A map is
right if the pixel that lowers the log p-value most lies in the object. By chance, that share of the
images is the object's share of the pixels.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score
from torch import Tensor

from cellxai.adapters.familiarity import Familiarity, SurpriseMap, familiarity_of
from cellxai.adapters.removal import prepare_region, render_prepared
from cellxai.data.synthetic import (
    Scene,
    SceneSettings,
    compose_scene,
    foreign_region,
    scene_of,
    with_foreign,
)
from cellxai.data.synthetic.anatomy import REAL_HEIGHT
from cellxai.data.synthetic.foreign import FOREIGN_KINDS, ForeignKind
from cellxai.explain.base import Attribution, Explainer, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.metrics.localisation import pointing_game, region_auc
from cellxai.explain.status import worst_status
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.density import ExplainedAnomaly, draw_anomalies
from cellxai.files.folder import atomic, write_csv
from cellxai.intervals import share_interval
from cellxai.trained.run import TrainedRun, load_run

FRESH_SEED = 20261122  # seed of scenes on which no setting was chosen
N_DRAWN = 8  # rows of the picture
N_SHOWN = 5  # explainers in the picture
Region = Bool[Tensor, "n h w"]


@dataclass(frozen=True)
class PlantedImages:
    """New images without and with one foreign object.

    Args:
        kinds: Kind of the object in each image.
        clean: Images without the object.
        spoiled: The same images with it.
        regions: Pixels of the objects.
    """

    kinds: tuple[str, ...]
    clean: Float[Tensor, "n 3 h w"]
    spoiled: Float[Tensor, "n 3 h w"]
    regions: Region


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--out", type=Path, default=Path("runs/quickstart/foreign"))
    parser.add_argument("--images", type=int, default=60, help="new scenes")
    parser.add_argument("--kinds", nargs="+", choices=FOREIGN_KINDS, default=FOREIGN_KINDS)
    parser.add_argument("--samples", type=int, default=200, help="of explainers that draw samples")
    parser.add_argument("--explainers", nargs="*", default=[], help="by short name; default: all")
    chosen = parser.parse_args()
    trained = load_run(chosen.run, "cpu")
    density, _ = familiarity_of(trained)
    planted = plant_objects(trained, chosen.images, chosen.kinds)
    detection = detection_lines(density, planted)
    maps = explain(density, planted, choose_explainers(chosen.samples, chosen.explainers))
    rows = [result_row(name, of_explainer, planted) for name, of_explainer in maps.items()]
    rows.sort(key=lambda row: (row["pointing"] == "nan", -float(row["pointing"])))
    write_csv(chosen.out / "explainers.csv", rows)
    page = "\n".join([*detection, "", *markdown(rows)])
    with atomic(chosen.out / "table.md") as path:
        path.write_text(page + "\n", encoding="utf-8")
    draw(chosen.out / "anomalies.png", density, planted, maps, rows)
    print(page)


def plant_objects(
    trained: TrainedRun, n_images: int, choice: Sequence[ForeignKind] = FOREIGN_KINDS
) -> PlantedImages:
    """Scenes like those of a run on synthetic cells, the kinds of objects in turn."""
    scenes = [fresh_scene(trained, index) for index in range(n_images)]
    kinds: list[ForeignKind] = [choice[i % len(choice)] for i in range(n_images)]
    spoiled = [with_foreign(scene, kind) for scene, kind in zip(scenes, kinds, strict=True)]
    return PlantedImages(
        tuple(kinds),
        torch.stack([render_prepared(scene, trained.transforms) for scene in scenes]),
        torch.stack([render_prepared(scene, trained.transforms) for scene in spoiled]),
        torch.stack([prepare_region(foreign_region(s), trained.transforms) for s in spoiled]),
    )


def fresh_scene(trained: TrainedRun, index: int) -> Scene:
    """A scene in the frame of the run's own, which it has never seen."""
    known = trained.images.all_records[0]
    scene = scene_of(known.path.parent.parent, known.id)
    magnification = scene.scale * REAL_HEIGHT / scene.height
    settings = SceneSettings(scene.height, scene.width, magnification=magnification)
    return compose_scene(FRESH_SEED, index, settings)


def detection_lines(density: Familiarity, planted: PlantedImages) -> list[str]:
    """Lines that say which images are flagged."""
    verdicts = [density.judge(images) for images in (planted.clean, planted.spoiled)]
    flags = [verdict.flagged.numpy() for verdict in verdicts]
    lines = [detection_line("views", [verdict.evidence.numpy() for verdict in verdicts], flags)]
    return lines + [
        f"  {kind}: {np.mean(flags[1][np.array(planted.kinds) == kind]):.0%} flagged"
        for kind in FOREIGN_KINDS
        if kind in planted.kinds
    ]


def detection_line(name: str, scores: Sequence[np.ndarray], flags: Sequence[np.ndarray]) -> str:
    """What one density detects, as a line."""
    truth = np.r_[np.zeros(len(scores[0])), np.ones(len(scores[1]))]
    area = roc_auc_score(truth, -np.concatenate(scores))
    lower = np.mean(scores[1] < scores[0])
    return (
        f"density of {name}: {flags[1].mean():.0%} of {len(flags[1])} images with an object "
        f"flagged, {flags[0].mean():.0%} of the same without; AUROC {area:.3f}; "
        f"the object lowers the log density of {lower:.0%}"
    )


def choose_explainers(n_samples: int, names: Sequence[str]) -> dict[str, Explainer]:
    """The density map, then the named explainers, or all of them, controls included."""
    every = every_explainer(n_samples)
    return {"density map": SurpriseMap()} | {name: every[name] for name in names or every}


def explain(
    density: Familiarity, planted: PlantedImages, methods: Mapping[str, Explainer]
) -> dict[str, list[Attribution]]:
    """Attributions of the log density of every image with an object, by explainer."""
    maps: dict[str, list[Attribution]] = {name: [] for name in methods}
    target = torch.zeros(1, dtype=torch.int64)
    for image in planted.spoiled.split(1):
        context = context_of(image, Slic(), BlurBaseline())
        for name, method in methods.items():
            maps[name].append(attribute_with_cost(method, density, image, target, context))
    return maps


def unfamiliarity(maps: Sequence[Attribution]) -> Float[Tensor, "n h w"]:
    """How much each pixel lowers the log density, in nats; a map without a sign is unchanged."""
    values = torch.cat([attribution.values.detach().float() for attribution in maps])
    return values if (values >= 0).all() else -values


def result_row(name: str, maps: Sequence[Attribution], planted: PlantedImages) -> dict[str, str]:
    """The figures of an explainer."""
    values = unfamiliarity(maps)
    hits = pointing_game(values, planted.regions)
    hits = hits[hits.isfinite()]  # a method that cannot explain a density has no map
    low, high = share_interval(round(float(hits.sum())), len(hits)) or (np.nan, np.nan)
    return {
        "explainer": name,
        "status": worst_status([attribution.status for attribution in maps]),
        "maps": str(len(hits)),
        "pointing": f"{float(hits.mean()):.3f}",
        "low": f"{low:.3f}",
        "high": f"{high:.3f}",
        "chance": f"{float(planted.regions.float().mean()):.3f}",
        "auc": f"{float(region_auc(values, planted.regions).nanmean()):.3f}",
        "inside": f"{float(share_inside(values, planted.regions).nanmean()):.3f}",
        "seconds": f"{np.mean([attribution.cost.seconds for attribution in maps]):.2f}",
    }


def share_inside(values: Float[Tensor, "n h w"], regions: Region) -> Float[Tensor, " n"]:
    """Share of what lies above the mean of each map that is in the object.

    An edge detector points at the object where its rim is the sharpest edge, and has most of its
    edges elsewhere.
    """
    above = (values - values.mean((1, 2), keepdim=True)).clamp(min=0)
    return (above * regions).sum((1, 2)) / above.sum((1, 2))


def markdown(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The table as Markdown."""
    names = (
        "explainer",
        "maps",
        "pointing game (95 %)",
        "chance",
        "pixel AUC",
        "inside",
        "s/image",
    )
    yield f"| {' | '.join(names)} | status |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        interval = f"{row['pointing']} ({row['low']} to {row['high']})"
        cells = [row["explainer"], row["maps"], interval]
        cells += [row[name] for name in ("chance", "auc", "inside", "seconds", "status")]
        yield f"| {' | '.join(cells)} |"


def draw(
    path: Path,
    density: Familiarity,
    planted: PlantedImages,
    maps: Mapping[str, Sequence[Attribution]],
    rows: Sequence[Mapping[str, str]],
) -> None:
    """Draws the first images with the maps of the explainers that point best."""
    best = [row["explainer"] for row in rows[:N_SHOWN]]
    verdicts = density.judge(planted.spoiled[:N_DRAWN])
    pictures = [
        ExplainedAnomaly(
            f"scene {i}: {planted.kinds[i]}",
            planted.spoiled[i].permute(1, 2, 0).numpy(),
            {name: maps[name][i].values[0].detach().numpy() for name in best},
            nats,
            bool(verdicts.flagged[i]),
            planted.regions[i].numpy(),
            frozenset(name for name in best if is_hit(maps[name][i], planted.regions[[i]])),
        )
        for i, nats in enumerate(verdicts.evidence.tolist())
    ]
    draw_anomalies(pictures, path, float("-inf"))


def is_hit(attribution: Attribution, region: Region) -> bool:
    """Whether the pixel that lowers the log density most lies in the object."""
    return float(pointing_game(unfamiliarity([attribution]), region)) > 0.5


if __name__ == "__main__":
    main()
