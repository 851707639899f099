"""The RTM engine: design, folds, families, screening, selection, bootstraps, the fitted terrain.

Arrays in, frozen dataclasses out: nothing here knows cities, files or maps.
"""
