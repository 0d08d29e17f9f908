"""What all intervals of the project share: how often they are to hold the true figure."""

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
NORMAL_QUANTILE = 1.959963984540054  # quantile of the standard normal, two-sided for LEVEL

Interval = tuple[float, float]
