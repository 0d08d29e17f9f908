"""Readers of cell images: one record per image, whatever the layout on disk."""
