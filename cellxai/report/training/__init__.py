"""The section about the training: its curves and its last epoch."""
