"""LIME: our own, its author's package, and Captum's."""
