"""The outside world -> immutable snapshots of the declared columns. No interpretation happens here."""
