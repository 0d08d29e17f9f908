"""Explainers of any ``images → logits`` model, and the measures that judge them."""
