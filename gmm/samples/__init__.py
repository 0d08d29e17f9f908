"""What EM reads: samples in memory, in chunks or in several processes, and their sums."""
