"""What studies found, what a city lays over it, draws of it, and what a city's own results propose."""
