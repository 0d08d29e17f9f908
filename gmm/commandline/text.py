"""Text that has to fit."""


def clip(text: str, width: int) -> str:
    """The text, shortened to a width where it is longer."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
