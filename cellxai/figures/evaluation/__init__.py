"""Pictures of an evaluation: confusion, ROC, reliability, and the mistakes themselves."""
