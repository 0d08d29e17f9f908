"""What was asked of the density, what it found, and by which view: in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellxai.report.density.threshold import Promise
from cellxai.report.pieces import Card
from cellxai.report.printed_numbers import decimal, interval, percent

MOST_NAMED = 3  # sets in a sentence
KNOWN = ("test", "out of fold", "validation", "train")  # those that say most first


@dataclass(frozen=True)
class ImageSet:
    """One set of images.

    Args:
        name: Its name.
        n_images: How many images it has.
        share_flagged: Share of them in [0, 1].
        median: Of the log p-value, in nats.
        auroc: Of these images against known ones; ``None`` for known ones.
        view: The view that most of them surprise most.
        meaning: What is strange about images that surprise it; empty in older results.
    """

    name: str
    n_images: int
    share_flagged: float
    median: float
    auroc: float | None
    view: str
    meaning: str

    @property
    def found_by(self) -> str:
        """``blocks.0 (texture and focus: early layers)``."""
        return f"{self.view} ({self.meaning})" if self.meaning else self.view


def split_sets(sets: Sequence[ImageSet]) -> tuple[ImageSet, list[ImageSet]]:
    """The known images that say most, and the sets that should not be known."""
    by_name = {image_set.name: image_set for image_set in sets}
    shown = next((by_name[name] for name in KNOWN if name in by_name), sets[0])
    return shown, [other for other in sets if other.name not in {*KNOWN, shown.name}]


def describe_finding(sets: Sequence[ImageSet], asked: float, promise: Promise | None) -> str:
    """The sentence above the pictures; empty without a set.

    Args:
        sets: All sets of images.
        asked: Share of known images that was to be flagged, in [0, 1].
        promise: What the threshold does to known images that had no say, if there are any.
    """
    if not sets:
        return ""
    shown, others = split_sets(sets)
    line = f"Asked to flag {_round(asked)} of known images, it flags {_alarms(shown, promise)}"
    if promise:
        line += f", {'as promised' if promise.used.kept else 'not what was promised'}"
    if not others:
        return f"{line}; no image was tried that it should not know."
    parts = [_describe_strangers(image_set) for image_set in others[:MOST_NAMED]]
    n_more = len(others) - MOST_NAMED
    more = f" ({n_more} more {'set' if n_more == 1 else 'sets'} in the table)" if n_more > 0 else ""
    return f"{line}; of images that it should not know, it flags {', and '.join(parts)}{more}."


def make_card(
    sets: Sequence[ImageSet], asked: float, promise: Promise | None, n_warnings: int
) -> Card | None:
    """The figure at the top of the page: strangers found or, without any, known images flagged.

    Args:
        sets: All sets of images.
        asked: Share of known images that was to be flagged, in [0, 1].
        promise: What the threshold does to known images that had no say, if there are any.
        n_warnings: Number of warnings in the section.
    """
    if not sets:
        return None
    shown, others = split_sets(sets)
    alarms = f"asked to flag {_round(asked)} of known images, it flags {_alarms(shown, promise)}"
    noun = "warning" if n_warnings == 1 else "warnings"
    warned = f"; {n_warnings} {noun} in the section below" if n_warnings else ""
    if not others:
        share = promise.used.share if promise else shown.share_flagged
        tried = "no image was tried that it should not know"
        return Card("Known images flagged", percent(share), f"{alarms}; {tried}{warned}")
    n_images = sum(image_set.n_images for image_set in others)
    n_found = sum(round(image_set.share_flagged * image_set.n_images) for image_set in others)
    views = list(dict.fromkeys(image_set.found_by for image_set in others))
    found = f"{n_found} of {n_images} that it should not know, found by {_join(views[:MOST_NAMED])}"
    return Card(
        "Unfamiliar images found", percent(n_found / n_images), f"{found}; {alarms}{warned}"
    )


def _alarms(shown: ImageSet, promise: Promise | None) -> str:
    """``2.8 % of 72 that had no say (95 % interval 0.8 % to 9.6 %)``."""
    if promise is None:
        return f"{percent(shown.share_flagged)} of {shown.n_images} {shown.name} images"
    row = promise.used
    return (
        f"{percent(row.share)} of {row.n_images} that had no say "
        f"(95 % interval {interval(row.interval, 1)})"
    )


def _describe_strangers(image_set: ImageSet) -> str:
    area = "" if image_set.auroc is None else f" (AUROC {decimal(image_set.auroc, 3)})"
    share = f"{percent(image_set.share_flagged)} of {image_set.name}{area}"
    return f"{share}, found by {image_set.found_by}"


def _round(share: float) -> str:
    """``4 %``, ``0.5 %``."""
    return f"{100 * share:g} %"


def _join(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
