"""Sites, neighborhoods and tables as files: GeoPackage, Parquet, CSV, work orders, and how layers look in a GIS."""
