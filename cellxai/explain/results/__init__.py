"""Stored results of a benchmark, and the statistics made of them."""
