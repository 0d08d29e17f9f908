"""The exported tables of a benchmark: CSV, Parquet, Markdown and LaTeX."""
