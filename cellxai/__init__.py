"""What is an image classifier looking at, can that be believed, and is this image one it knows?

The verbs of the command line as functions: ``from cellxai.api import fit, explain``.
"""
