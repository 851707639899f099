"""Snapshots -> canonical layers (events, sites, requests, areas), and a quarantine with a reason per row."""
