"""The command line. Arguments in, one clear message or a short summary out; the work is elsewhere."""

# Importing them registers their commands.
from rtm_pipeline.cli import cities, looking, night, studies, tables, upkeep, work  # noqa: F401
from rtm_pipeline.cli.app import app, main

__all__ = ["app", "main"]
