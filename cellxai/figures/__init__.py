"""Pictures, and the one place of ``cellxai`` that imports matplotlib.

A folder holds what is drawn of one thing, a module one kind of picture. ``colours`` has every
colour, ``style`` the look that all share, ``overlay`` what is laid over an image.
"""
