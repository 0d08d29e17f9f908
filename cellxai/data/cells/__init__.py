"""One record per cell: crops by the masks of any data set, cut when they are read."""

from cellxai.data.cells.single_cells import SingleCells

__all__ = ["SingleCells"]
