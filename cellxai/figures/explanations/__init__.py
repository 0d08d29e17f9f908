"""Pictures of explanations: LIME's panels, the strip of explainers, the grid of images."""
