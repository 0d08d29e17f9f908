"""The live page as HTML: a place to drop images, and what its script needs."""

from collections.abc import Sequence

from cellxai.report.rendering import render_template


def render_live(
    runs: Sequence[str], methods: Sequence[tuple[str, bool]], token: str, most_bytes: int
) -> str:
    """The page.

    Args:
        runs: Names of the runs.
        methods: Names of the explainers, and whether each is chosen at first.
        token: What the script has to show the server.
        most_bytes: Largest image that the server takes.
    """
    return render_template(
        "live/page.html.jinja",
        scripts=("live.js",),
        runs=runs,
        methods=methods,
        token=token,
        most_bytes=most_bytes,
    )
