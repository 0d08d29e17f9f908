"""One self-contained HTML page from the saved results of a run: ``page.report``."""
