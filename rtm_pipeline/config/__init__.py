"""YAML -> the specs of the rooms. The only place that knows YAML and pydantic."""
