"""Where a cell is: frozen grid spec, half-open cells, exposure; points and polygons on the grid."""
