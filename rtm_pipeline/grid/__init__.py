"""Where a cell is: frozen grid spec, half-open cells, exposure; points and polygons on the grid."""

from rtm_pipeline.grid.area import study_area, study_grid, with_border
from rtm_pipeline.grid.crs import CrsInfo, resolve_crs
from rtm_pipeline.grid.locate import AreaShares, area_shares, cells_of, count, to_raster
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = [
    "AreaShares",
    "CrsInfo",
    "GridSpec",
    "StudyGrid",
    "area_shares",
    "cells_of",
    "count",
    "resolve_crs",
    "study_area",
    "study_grid",
    "to_raster",
    "with_border",
]
