"""Explainers that run the network backward: gradients, Grad-CAM, DeepLIFT, LRP."""
