"""Pictures of samples, mixtures, scores and sweeps, with Matplotlib."""
