"""Pages of several runs: those of a folder as a list, and some side by side."""
