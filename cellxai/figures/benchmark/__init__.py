"""Pictures of a benchmark: ranks, what is settled, price, and which methods agree."""
