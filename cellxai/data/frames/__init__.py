"""Whole images that several records are cut from: decoded once for all of them."""
