"""Layers + grid + what was known when -> risk factors: distance, density, operationalization."""
