"""The classifier: a backbone from timm or of your own, a head, and how they are trained."""
