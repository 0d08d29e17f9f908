"""Readers of data sets and image files: one per layout on disk."""
