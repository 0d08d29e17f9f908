"""How prepared images are kept, ordered and brought to the network."""
