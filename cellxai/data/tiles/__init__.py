"""One record per tile of a large image, read without decoding all of it where the file allows."""

from cellxai.data.tiles.tiles import Tiles

__all__ = ["Tiles"]
