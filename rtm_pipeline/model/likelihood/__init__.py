"""Maximum likelihood on pattern rows: families, sufficient statistics, Newton's method."""
