"""A trained run, read back: its network, its images, and what they become in any layer."""
