"""A torch model of your own, and your images: explained, measured and compared in a few lines."""
