"""Pictures, and the one place of ``cellxai`` that imports matplotlib.

A module draws one kind of picture and is named for it; ``style`` is the look that all share.
"""
