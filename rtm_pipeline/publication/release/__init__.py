"""A release as a folder: written aside, made current by one step, read back."""
