"""What people open: rasters, vectors, report, model card, catalog, and the release that holds them."""
