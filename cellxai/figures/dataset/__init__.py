"""Pictures of a data set: counts, contrast, spread by class, and what the network sees."""
