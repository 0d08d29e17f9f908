"""Training a classifier into a run folder, and reading it back from there."""
