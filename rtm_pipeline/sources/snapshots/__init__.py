"""What was read, immutable and content-addressed."""
