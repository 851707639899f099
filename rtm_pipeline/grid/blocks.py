"""Square spatial blocks of cells, for folds and bootstraps that respect that neighbors resemble one another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import GridError
from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["spatial_blocks"]


def spatial_blocks(grid: StudyGrid, side_u: float) -> NDArray[np.int32]:
    """Number of the block of each cell.

    Parameters
    ----------
    grid : StudyGrid
    side_u : float
        Least side of a block, CRS units; rounded up to whole cells.

    Returns
    -------
    ndarray of int32, shape (n_cells,)
        0, 1, ... without gaps, in raster order of the blocks.

    Raises
    ------
    GridError
        The side is not positive.
    """
    if not side_u > 0:
        raise GridError(f"The side of a block must be positive; found {side_u!r}.")
    cells = max(1, math.ceil(side_u / grid.spec.cell_size_u - 1e-9))
    per_row = math.ceil(grid.spec.n_cols / cells)
    raw = (grid.rows // cells).astype(np.int64) * per_row + grid.cols // cells
    number: NDArray[np.int32] = np.unique(raw, return_inverse=True)[1].astype(np.int32)
    return number
