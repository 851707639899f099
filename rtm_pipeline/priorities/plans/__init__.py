"""Frozen work lists, and what they are scored against."""
