"""What a test draws, as it stands in the figure when that is saved."""

from dataclasses import dataclass, field

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text


@dataclass
class Drawn:
    """The figures that were saved, the last of which is asked."""

    figures: list[Figure] = field(default_factory=list)

    @property
    def panels(self) -> list[Axes]:
        """The visible axes of the last figure."""
        return [axes for axes in self.figures[-1].axes if axes.get_visible()]

    @property
    def texts(self) -> list[str]:
        """Every visible text of the last figure: titles, labels, ticks, legends, captions."""
        texts = [text for text in self.figures[-1].findobj(Text) if text.get_visible()]
        return [text.get_text() for text in texts if text.get_text()]


@pytest.fixture
def drawn(monkeypatch) -> Drawn:
    """Keeps every figure that is saved; the file is written as ever."""
    kept, save = Drawn(), Figure.savefig

    def keep(figure: Figure, *places: object, **options: object) -> None:
        kept.figures.append(figure)
        save(figure, *places, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept
