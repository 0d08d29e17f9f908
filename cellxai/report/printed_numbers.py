"""Numbers as the page prints them; whatever is not finite becomes a dash."""

from math import floor, isfinite, log10

DASH = "–"


def decimal(value: float | None, digits: int = 2) -> str:
    """``−1,234.50``."""
    if value is None or not isfinite(value):
        return DASH
    return f"{value:,.{digits}f}".replace("-", "−")


def figure(value: float) -> str:
    """A score of whatever size: ``0.315``, ``1,204``, ``0.00031``, ``−4.2·10⁻⁷``."""
    if not isfinite(value):
        return DASH
    if value == 0 or 0.01 <= abs(value) < 100:
        return decimal(value, 3)
    if abs(value) < 1e-4 or abs(value) >= 1e6:
        return _power(value)
    return f"{value:,.{max(0, 2 - floor(log10(abs(value))))}f}".replace("-", "−")


def percent(share: float | None, digits: int = 1) -> str:
    """``95.0 %`` for 0.95."""
    text = decimal(None if share is None else 100 * share, digits)
    return text if text == DASH else f"{text} %"


def nats(value: float | None) -> str:
    """``−38.0``, and ``−2.7·10⁷`` where the digits before the point say nothing any more."""
    if value is None or not isfinite(value) or abs(value) < 1e6:
        return decimal(value, 1)
    return _power(value)


def duration(seconds: float | None) -> str:
    """``4.0 ms``, ``0.4 s``, ``25 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds is None or not isfinite(seconds):
        return DASH
    if 0 < seconds < 0.05:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def interval(pair: tuple[float, float] | None, digits: int = 0) -> str:
    """``92 % to 100 %``; a dash without one."""
    if pair is None:
        return DASH
    return f"{percent(pair[0], digits)} to {percent(pair[1], digits)}"


def _power(value: float) -> str:
    lead, power = f"{value:.1e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{lead}·10{raised}".replace("-", "−")
