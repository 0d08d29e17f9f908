"""Spoilt faces against photos that the mixture has not seen: what is memory, and what is not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA

from gmm import GaussianMixture
from gmm.options import CovarianceType
from mixtures_lesson.blobs import PERCENT, SEED
from mixtures_lesson.faces import SPOILERS, Faces, reconstruction_error

MOST_ALARMS = 0.05  # of held-out photos at the training threshold: what is no memorisation
DENSITY, ERROR, BOTH = "density", "reconstruction error", "both"
Scores = Mapping[str, Float[np.ndarray, " n"]]


@dataclass(frozen=True)
class Setting:
    """A detector of faces that are unlike the photos.

    Args:
        variance: That the principal components keep.
        covariance_type: Of the mixture.
        n_components: Of the mixture.
        n_init: Starts of the mixture.
        rank: Columns of the loadings of ``low_rank``.
    """

    variance: float
    covariance_type: CovarianceType
    n_components: int
    n_init: int = 3
    rank: int = 10

    def __str__(self) -> str:
        """As the table names it."""
        return f"PCA {self.variance:g}, {self.covariance_type}, K = {self.n_components}"


LESSONS = Setting(0.99, "full", 40)
SETTINGS = (
    LESSONS,
    Setting(0.99, "tied", 40),
    Setting(0.99, "tied", 10),
    Setting(0.99, "low_rank", 3, n_init=1),
    Setting(0.9, "full", 10),
    Setting(0.8, "full", 3),
    Setting(0.95, "spherical", 40),
    Setting(0.95, "diag", 10),
    Setting(0.9, "diag", 10),
    Setting(0.95, "tied", 10),
    Setting(0.9, "tied", 5),
    Setting(0.9, "tied", 10),
    Setting(0.9, "tied", 15),
)


@dataclass(frozen=True)
class Judgement:
    """How a detector does, mean over the rounds.

    Args:
        false_alarms_training: Share of the held-out photos below the 4 % threshold of the photos of
            the fit.
        false_alarms: Likewise of other held-out photos.
        auroc: By kind of spoilt face: probability that one scores below a held-out photo.
        found: By kind: share below the threshold of held-out photos.
    """

    false_alarms_training: float
    false_alarms: float
    auroc: dict[str, float]
    found: dict[str, float]

    def cells(self) -> list[str]:
        """As a row of the table."""
        shares = [f"{self.false_alarms_training:.1%}", f"{self.false_alarms:.1%}"]
        kinds = [f"{self.auroc[kind]:.3f} / {self.found[kind]:.0%}" for kind in SPOILERS]
        return [*shares, *kinds]


def best_setting(judged: Mapping[Setting, Judgement]) -> Setting:
    """The greatest least AUROC, of those that know unseen photos again."""
    known = {s: it for s, it in judged.items() if it.false_alarms_training <= MOST_ALARMS}
    candidates = known or judged
    return max(candidates, key=lambda setting: min(candidates[setting].auroc.values()))


def scores_of_rounds(
    faces: Faces, people: Int[np.ndarray, " n"], setting: Setting
) -> dict[str, list[Scores]]:
    """Per detector and round, the scores of each set of faces; the lower, the more suspicious."""
    photo = photo_numbers(people)
    n_photos = int(photo.max()) + 1
    rounds = []
    for judged in range(n_photos):
        calibration = (judged + 1) % n_photos
        sets = {
            "fit": faces[(photo != judged) & (photo != calibration)],
            "calibration": faces[photo == calibration],
            "held out": faces[photo == judged],
            **{kind: spoil(faces[photo == judged]) for kind, spoil in SPOILERS.items()},
        }
        rounds.append(scores_of_sets(sets, setting))
    return {detector: [each[detector] for each in rounds] for detector in rounds[0]}


def scores_of_sets(sets: Mapping[str, Faces], setting: Setting) -> dict[str, Scores]:
    """Scores of each set by each detector, after a fit to the first."""
    pca = PCA(setting.variance, random_state=SEED).fit(sets["fit"])
    mixture = GaussianMixture(
        setting.n_components,
        covariance_type=setting.covariance_type,
        rank=setting.rank,
        n_init=setting.n_init,
        random_state=SEED,
    ).fit(pca.transform(sets["fit"]))
    density = {name: mixture.score_samples(pca.transform(faces)) for name, faces in sets.items()}
    error = {name: -reconstruction_error(pca, faces) for name, faces in sets.items()}
    pairs = (standardised(density), standardised(error))
    both = {name: np.minimum(*(scores[name] for scores in pairs)) for name in sets}
    return {DENSITY: density, ERROR: error, BOTH: both}


def standardised(scores: Scores) -> Scores:
    """Scores in standard deviations of those of the calibration photos, from their mean."""
    known = scores["calibration"]
    return {name: (values - known.mean()) / known.std() for name, values in scores.items()}


def photo_numbers(people: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The how-manieth photo of its person each one is."""
    return np.array([(people[:place] == person).sum() for place, person in enumerate(people)])


def judged_rounds(rounds: Iterable[Scores]) -> Judgement:
    """Error rates and areas, mean over the rounds."""
    each = [_judged(scores) for scores in rounds]
    fit, held_out, areas, found = zip(*each, strict=True)
    return Judgement(
        float(np.mean(fit)),
        float(np.mean(held_out)),
        dict(zip(SPOILERS, np.mean(areas, 0).tolist(), strict=True)),
        dict(zip(SPOILERS, np.mean(found, 0).tolist(), strict=True)),
    )


def auroc(bad: Float[np.ndarray, " n"], good: Float[np.ndarray, " m"]) -> float:
    """Probability that a bad sample scores below a good one; ties count half."""
    below, level = bad[:, None] < good, bad[:, None] == good
    return float((below + level / 2).mean())


def expected_alarms(n_calibration: int) -> float:
    """Share of new photos below the threshold of as many others, if all are exchangeable.

    Of n scores the percentile lies α (n - 1) places above the least, interpolated, and a new score
    is below the i-th least of n with probability i / (n + 1).
    """
    return (PERCENT / 100 * (n_calibration - 1) + 1) / (n_calibration + 1)


def _judged(scores: Scores) -> tuple[float, float, list[float], list[float]]:
    good = scores["held out"]
    of_fit, threshold = (np.percentile(scores[name], PERCENT) for name in ("fit", "calibration"))
    return (
        float((good < of_fit).mean()),
        float((good < threshold).mean()),
        [auroc(scores[kind], good) for kind in SPOILERS],
        [float((scores[kind] < threshold).mean()) for kind in SPOILERS],
    )
