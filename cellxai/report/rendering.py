"""Templates as HTML: everything that comes from a run folder is escaped, one script may run."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cellxai.report.printed_numbers import decimal, duration, figure, interval, nats, percent
from cellxai.report.scripts import SCRIPTS, page_script, script_hash


def render_template(template: str, /, scripts: tuple[str, ...] = SCRIPTS, **values: object) -> str:
    """A template of this folder as HTML, with some scripts and the policy that allows them."""
    found = environment().get_template(template)
    return found.render(values, script=page_script(scripts), script_hash=script_hash(scripts))


@cache
def environment() -> Environment:
    """What all templates share."""
    # Labels and ids are whatever a stranger's CSV holds: escaping is on for every template.
    shared = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared.filters |= {
        "decimal": decimal,
        "figure": figure,
        "percent": percent,
        "nats": nats,
        "duration": duration,
        "interval": interval,
    }
    return shared
