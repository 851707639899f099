"""The report and the neighborhood pages: one file each, that asks the network for nothing."""
