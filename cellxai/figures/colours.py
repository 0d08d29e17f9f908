"""Every colour of every picture: to change one, change it here.

The palette is Okabe and Ito's (2008), whose colours stay apart for every kind of colour vision.
"""

from matplotlib.colors import LinearSegmentedColormap

INK = "#1f2933"
GREY = "#7b8794"
FAINT = "#e4e7eb"
EMPTY = "#f1f3f5"  # a frame that has no map to show
BLUE = "#0072B2"
SKY = "#56B4E9"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"

SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
"""One colour per set or curve, in this order."""

# Overlays: what is laid over an image. Titles and the report call them green, orange, blue, yellow.
POSITIVE = GREEN  # speaks for the explained class, in every picture
NEGATIVE = VERMILLION  # speaks against it
CELL_OUTLINE = SKY  # round every cell of a mask
CAUSE_OUTLINE = YELLOW  # round the planted cause, or a foreign region
PREPARED_CELL_OUTLINE = ORANGE  # round every cell in the sheet of prepared images

# Light of stained planes, which adds up: pairs keep apart for every kind of colour vision.
PLANES = {"#ff00ff": "magenta", "#00ff00": "green", "#ffff00": "yellow", "#00ffff": "cyan"}

SIGNED = LinearSegmentedColormap.from_list("signed", [NEGATIVE, "#ffffff", POSITIVE])
SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#9ccbe6", BLUE, "#003d63"])
