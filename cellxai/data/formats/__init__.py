"""Kinds of image file: which files are read, how each family is decoded, and what is refused."""
