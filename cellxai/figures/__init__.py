"""Pictures, and the one place of ``cellxai`` that imports matplotlib.

``curves``, ``confusion``, ``density``, ``explanations`` and ``batch`` draw; ``style`` is the look.
"""
