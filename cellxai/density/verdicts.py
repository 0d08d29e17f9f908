"""The verdict over all views: the most surprised ones decide, and their level is calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.density.p_values import conformal_p, joint_log_p, log_p_beside, log_p_within
from cellxai.density.promises import Promise

ROUNDING = 1e-9  # a p-value and a level that are the same fraction may differ in their last bit
Answer = tuple[Tensor, Tensor, Tensor]  # places of images, their p-values, log p in each view


@dataclass(frozen=True)
class Verdicts:
    """What a pipeline says of images.

    Args:
        log_p: Natural logarithm of the p-value of each image in each view; beyond the known images
            it follows their tail.
        p: The p-value of being known, over all views: at most this share of known images is as
            strange.
        flagged: Which images are unfamiliar.
        evidence: Mean log p-value of the quarter of the views that are most surprised: orders
            images, also those beyond all known ones.
    """

    log_p: Float[Tensor, "m v"]
    p: Float[Tensor, " m"]
    flagged: Bool[Tensor, " m"]
    evidence: Float[Tensor, " m"]

    def some(self, places: Int[Tensor, " k"]) -> "Verdicts":
        """The verdicts on some of the images, in the order given."""
        return Verdicts(
            self.log_p[places], self.p[places], self.flagged[places], self.evidence[places]
        )

    @property
    def most_surprised(self) -> Int[Tensor, " m"]:
        """The view with the smallest p-value of each image."""
        return self.log_p.argmin(1)


@dataclass(frozen=True)
class Panel:
    """Views that are calibrated on the same images.

    Args:
        views: Their places among all views.
        images: Places of the images that calibrate them, among all images of the fit.
        surprises: Surprises of these images, each by a density that was not fitted to it.
    """

    views: tuple[int, ...]
    images: Int[Tensor, " n"]
    surprises: Float[Tensor, "n v"]


@dataclass(frozen=True)
class Calibration:
    """What is usual in every view, and what is flagged.

    Views that remember the images of the training are calibrated on fewer images than the others
    and form a second panel. Each panel gets an equal share of the false alarms (Bonferroni), but
    one that has too few images for its share gets none and has no say: its p-values are 1.

    Args:
        panels: One panel, or two.
        n_views: Number of views.
        n_images: Number of images of the fit.
        percent: False alarms asked for, in percent.
        guarantee: See :class:`Promise`.
    """

    panels: tuple[Panel, ...]
    n_views: int
    n_images: int
    percent: float
    guarantee: float | None = None

    @cached_property
    def heard(self) -> tuple[Panel, ...]:
        """The panels that have a say, those of most images first."""
        panels = sorted(self.panels, key=lambda panel: -len(panel.images))
        while len(panels) > 1 and not self._promise(panels[-1], len(panels)).rank:
            panels.pop()
        return tuple(panels)

    @property
    def promises(self) -> tuple[Promise, ...]:
        """What the threshold of each panel that is heard promises."""
        return tuple(self._promise(panel, len(self.heard)) for panel in self.heard)

    def at(self, percent: float) -> "Calibration":
        """The same images with another share of false alarms."""
        return replace(self, percent=percent)

    def judge(self, surprises: Float[Tensor, "m v"]) -> Verdicts:
        """The verdicts on images that nothing was fitted to."""
        answers = []
        for panel in self.heard:
            own = surprises[:, list(panel.views)]
            p, log_p = conformal_p(panel.surprises, own), log_p_beside(panel.surprises, own)
            answers.append((torch.arange(len(own)), p, log_p))
        return self._join(answers, len(surprises))

    def judge_known(self) -> Verdicts:
        """The verdicts on the images of the fit: each in the set of those of its panel."""
        answers = []
        for panel in self.heard:
            in_views = log_p_within(panel.surprises)
            joint = joint_log_p(in_views)
            as_rare = torch.searchsorted(joint.sort().values, joint, right=True)
            answers.append((panel.images, as_rare.double() / len(joint), in_views))
        return self._join(answers, self.n_images)

    def _join(self, answers: Sequence[Answer], n: int) -> Verdicts:
        log_p = torch.zeros(n, self.n_views, dtype=torch.float64)
        p, flagged = torch.ones(n, dtype=torch.float64), torch.zeros(n, dtype=torch.bool)
        evidence = torch.zeros(n, dtype=torch.float64)
        for panel, promise, (images, own, in_views) in zip(
            self.heard, self.promises, answers, strict=True
        ):
            log_p[images[:, None], torch.tensor(panel.views)] = in_views
            p[images] = torch.minimum(p[images], own * len(self.heard))
            flagged[images] |= own <= promise.level * (1 + ROUNDING)
            evidence[images] = torch.minimum(evidence[images], joint_log_p(in_views))
        return Verdicts(log_p, p, flagged, evidence)

    def _promise(self, panel: Panel, n_panels: int) -> Promise:
        return Promise(self.percent / n_panels, len(panel.images), self.guarantee)


def calibrate(
    surprises: Float[Tensor, "n v"],
    remembered: Sequence[bool],
    trained: Bool[Tensor, " n"],
    percent: float,
    guarantee: float | None,
) -> Calibration:
    """What is usual, from the surprise of every image of the fit in every view.

    Args:
        surprises: Each by a density that was not fitted to the image.
        remembered: Whether the network remembers the images that it was trained on, by view.
        trained: Whether the network was trained on each image.
        percent: False alarms asked for, in percent.
        guarantee: See :class:`Promise`.
    """
    every = torch.arange(len(surprises))
    groups = {
        False: (every, [view for view, memory in enumerate(remembered) if not memory]),
        True: (every[~trained], [view for view, memory in enumerate(remembered) if memory]),
    }
    panels = tuple(
        Panel(tuple(views), images, choose(surprises, images, views))
        for images, views in groups.values()
        if views
    )
    return Calibration(panels, len(remembered), len(surprises), percent, guarantee)


def choose(
    surprises: Float[Tensor, "n v"], images: Int[Tensor, " m"], views: Sequence[int]
) -> Float[Tensor, "m w"]:
    """Surprises of some images in some views; all of them are not copied."""
    if surprises.shape == (len(images), len(views)):
        return surprises
    return surprises[images[:, None], torch.tensor(views)]


def join_verdicts(parts: Sequence[Verdicts]) -> Verdicts:
    """The verdicts on several sets of images, one after another."""
    return Verdicts(
        torch.cat([part.log_p for part in parts]),
        torch.cat([part.p for part in parts]),
        torch.cat([part.flagged for part in parts]),
        torch.cat([part.evidence for part in parts]),
    )
