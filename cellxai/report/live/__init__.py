"""The page that ``view`` serves."""
