"""``essentials.pdf``: two pages for a meeting."""
