"""The section about which explanation can be believed, family by family."""
