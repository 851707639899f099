"""Questions beside the night: what if, other grids, rolling cut-offs, what do the sources hold."""
