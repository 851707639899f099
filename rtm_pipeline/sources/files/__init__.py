"""Files of a city: archives, CSV, vector files, Parquet; every row numbered and none lost."""
