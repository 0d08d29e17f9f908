"""The section about what the classifier looks at, image by image."""
