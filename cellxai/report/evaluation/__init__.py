"""The section about how often the classifier is right, where it is wrong, and how sure it is."""
