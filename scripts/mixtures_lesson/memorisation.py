"""The section that shows what is memory, and a setting that is not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from gmm import plot_scores
from mixtures_lesson.blobs import PERCENT
from mixtures_lesson.faces import SPOILERS, Faces
from mixtures_lesson.held_out import (
    DENSITY,
    MOST_ALARMS,
    SETTINGS,
    Judgement,
    Scores,
    Setting,
    best_setting,
    expected_alarms,
    judged_rounds,
    scores_of_rounds,
)
from mixtures_lesson.page import Picture, Section, table

TEXT = """
One photo of each person is held out to be judged and another to set a threshold; the rest is
fitted, principal components included. Ten rounds hold every photo out once. The columns: the share
of good, unseen photos that are flagged at the {percent:g} % threshold of the photos of the fit, the
same at the threshold of the other held-out photos, and for each kind of spoilt face (made of the
same unseen photos) the area under the ROC curve and the share found at the held-out threshold.

{settings_table}

**The lesson's separation is memorisation.** {lessons[name]} flags
{lessons[false_alarms_at_threshold_of_fit]:.1%} of good photos that it has not seen: its threshold
separates what it was fitted to from everything else. Scores of held-out photos give it a usable
threshold; nothing in the fit would have told.

**A setting that is not:** {best[name]} flags {best[false_alarms_at_threshold_of_fit]:.1%} of
unseen photos at the threshold of its fit, {best[false_alarms_at_held_out_threshold]:.1%} at the
held-out one. Of the settings that flag at most {most_alarms:.0%} at the threshold of the fit it
has the greatest least AUROC. It was chosen by this table, so that its figures are a little too
good; those of its neighbours are alike.

{detectors_table}

The reconstruction error finds what is turned and is blind to what is dark; the density sees both.
*both* takes the lower of the two, each in standard deviations of the held-out photos.

A threshold held out on as many photos as there are people flags {alarms_by_chance:.1%} of others on
average, not {percent:g} %: the percentile of few scores lies between the first of them.
"""


def held_out_section(
    faces: Faces, people: Int[np.ndarray, " n"], settings: Sequence[Setting] = SETTINGS
) -> Section:
    """Every photo held out once, under the lesson's setting, which is the first, and others."""
    scored = {setting: scores_of_rounds(faces, people, setting) for setting in settings}
    judged = {
        setting: {detector: judged_rounds(rounds) for detector, rounds in by_detector.items()}
        for setting, by_detector in scored.items()
    }
    by_density = {setting: judged[setting][DENSITY] for setting in settings}
    best = best_setting(by_density)
    numbers = {
        "percent": PERCENT,
        "alarms_by_chance": expected_alarms(len(np.unique(people))),
        "lessons": numbers_of(settings[0], by_density[settings[0]]),
        "best": numbers_of(best, by_density[best]),
        "settings": [numbers_of(setting, it) for setting, it in by_density.items()],
        "detectors_of_best": [numbers_of(name, it) for name, it in judged[best].items()],
    }
    text = TEXT.format(
        **numbers,
        most_alarms=MOST_ALARMS,
        settings_table=judgement_table("setting", by_density),
        detectors_table=judgement_table(f"detector with {best}", judged[best]),
    )
    figure = _drawn({setting: scored[setting][DENSITY][0] for setting in (settings[0], best)})
    caption = "Above: memorisation. Below: a setting that is not. First round"
    pictures = (Picture("face_held_out", caption, figure),)
    return Section("face_held_out", "Faces: memorisation", text, numbers, pictures)


def judgement_table(first: str, judged: Mapping[Any, Judgement]) -> str:
    """A row for each judgement, by its name."""
    alarms = ["flagged at the threshold of the fit", "flagged at the held-out threshold"]
    header = [first, *alarms, *(f"{kind}: AUROC / found" for kind in SPOILERS)]
    return table(header, [[str(name), *it.cells()] for name, it in judged.items()])


def numbers_of(name: Setting | str, judgement: Judgement) -> dict[str, Any]:
    """A judgement for ``numbers.json``."""
    return {
        "name": str(name),
        "false_alarms_at_threshold_of_fit": judgement.false_alarms_training,
        "false_alarms_at_held_out_threshold": judgement.false_alarms,
        "auroc": judgement.auroc,
        "found_at_held_out_threshold": judgement.found,
    }


def _drawn(shown: Mapping[Setting, Scores]) -> Figure:
    figure = Figure(figsize=(9, 4 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, squeeze=False).flat
    for ax, (setting, scores) in zip(axes, shown.items(), strict=True):
        drawn = {name: values for name, values in scores.items() if name != "calibration"}
        plot_scores(drawn, float(np.percentile(scores["fit"], PERCENT)), ax=ax)
        ax.set_title(f"{setting}; dashed: {PERCENT:g} % of the fit", loc="left", fontsize=11)
    return figure
