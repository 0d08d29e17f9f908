"""The section about which images the classifier knows: densities, thresholds, detectors."""
