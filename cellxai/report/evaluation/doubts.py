"""Why an accuracy should not be taken at its word."""

from collections.abc import Mapping

from cellxai.report.pieces import Doubt
from cellxai.report.printed_numbers import percent

FEW_IMAGES = 50  # an interval of an accuracy of 90 % is then 17 points wide


def doubt_accuracy(
    part: str,
    n_images: int,
    accuracy: float,
    interval: tuple[float, float] | None,
    floors: Mapping[str, float],
) -> tuple[Doubt, ...]:
    """What is doubtful about the accuracy of a part: chance, a simpler rule, few images.

    Args:
        part: Name of the part.
        n_images: How many images it has.
        accuracy: In [0, 1].
        interval: Its 95 % interval.
        floors: The accuracy of what is simpler than the network, by its name.
    """
    doubts = [
        Doubt(
            f"The accuracy of {percent(accuracy)} on {n_images} {part} images (95 % interval "
            f"{percent(interval[0], 0)} to {percent(interval[1], 0)}) is not clearly better than "
            f"{name} ({percent(floor)}): explanations may explain nothing that was learnt."
        )
        for name, floor in floors.items()
        if interval is not None and interval[0] <= floor
    ]
    if n_images < FEW_IMAGES:
        doubts.append(
            Doubt(
                f"The accuracy rests on {n_images} {part} images, of which one is worth "
                f"{percent(1 / n_images)}; `cellxai crossvalidate` judges every image once."
            )
        )
    return tuple(doubts)
