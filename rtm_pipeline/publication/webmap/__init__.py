"""The data behind the maps of reports and pages: plain values, pictures and outlines."""
