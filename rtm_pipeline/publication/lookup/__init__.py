"""Answers from releases that are there: why a place is rated so, what differs between two, sums by area."""
