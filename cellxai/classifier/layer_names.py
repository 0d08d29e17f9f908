"""Names of layers that are not modules of the network."""

PENULTIMATE = "penultimate"  # what enters the layer that gives the logits
