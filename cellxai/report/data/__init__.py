"""The section about the data: images by class and part, and what is doubtful about them."""
