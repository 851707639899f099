"""Zones for the next days: few, compact, connected, logged."""
