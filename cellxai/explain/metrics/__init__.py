"""Measures of an attribution, one family a file."""
