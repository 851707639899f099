"""Surfaces as files: Cloud Optimized GeoTIFFs, their styles and legends, rasters that say why, a picture."""
