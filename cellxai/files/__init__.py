"""What lies on disk: run folders, locks, configs, and the progress of long work."""
