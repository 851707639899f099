"""Which sites, by which work, within a budget; how good that is at most, and how sure."""
