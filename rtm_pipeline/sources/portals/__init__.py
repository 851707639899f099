"""Socrata and ArcGIS through one transport: every row once, or one clear message."""
