"""Pictures of explanations: LIME's panels, pairs, the strip of explainers, the grid of images."""
