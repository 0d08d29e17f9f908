"""One self-contained HTML page from the saved results of a run.

A folder holds one section: ``section.py`` reads it, ``section.html.jinja`` draws it. ``page`` puts
the sections together, ``origin`` reads the head of the page and how the run is made again.
"""
