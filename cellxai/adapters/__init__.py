"""What joins a run to the explainers: which scalar, which images, and what is known of them."""
