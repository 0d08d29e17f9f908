"""Masks of cells in every format that a reader meets, as label maps: 0 where there is no cell."""
