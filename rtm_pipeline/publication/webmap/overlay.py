"""Surfaces as pictures for a web map: classed cells warped to web mercator, as small palette PNGs in data URIs."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.locate import to_raster
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["CellLocator", "CellPicture", "Frame", "cell_picture", "encode_png", "locate_cells", "overlay_frame"]

MERCATOR = "EPSG:3857"
RADIUS_M = 6378137.0
_PIXELS_PER_CELL = 3
_MOST_PIXELS = 2048
_CORNERS = 25
_LOCATOR_TOLERANCE = 0.02  # of a cell


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture's rectangle in web mercator, meters there, and its size in pixels."""

    west: float
    south: float
    east: float
    north: float
    width: int
    height: int

    @property
    def corners_lonlat(self) -> list[list[float]]:
        """North-west, north-east, south-east, south-west as longitude and latitude, degrees."""
        places = ((self.west, self.north), (self.east, self.north), (self.east, self.south), (self.west, self.south))
        return [[round(value, 8) for value in _lonlat(x, y)] for x, y in places]


@dataclass(frozen=True, slots=True)
class CellLocator:
    """From a place on the map to a cell of the raster: polynomials in web mercator, good to a fiftieth of a cell.

    Attributes
    ----------
    center, half : tuple of float
        Middle and half size of the frame, by which coordinates are scaled to -1 .. 1.
    column, row : tuple of float
        Coefficients of 1, x, y, x², xy, y², x³, x²y, xy², y³ for the raster's column and row, both from 0 on.
    """

    center: tuple[float, float]
    half: tuple[float, float]
    column: tuple[float, ...]
    row: tuple[float, ...]


def overlay_frame(spec: GridSpec) -> Frame:
    """The frame that holds the whole raster, about three pixels a cell."""
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(
        spec.crs, MERCATOR, spec.west_u, spec.south_u, spec.east_u, spec.north_u, densify_pts=41
    )
    across = max(spec.n_cols, 1) * _PIXELS_PER_CELL
    down = max(spec.n_rows, 1) * _PIXELS_PER_CELL
    shrink = min(1.0, _MOST_PIXELS / max(across, down))
    return Frame(west, south, east, north, max(1, round(across * shrink)), max(1, round(down * shrink)))


@dataclass(frozen=True, slots=True, eq=False)
class CellPicture:
    """Which study cell each pixel of the frame shows: the grid is warped once, every surface is looked up.

    Attributes
    ----------
    frame : Frame
    cell : ndarray of int32, shape (height, width)
        Index of the cell, from 1 on; 0 outside.
    """

    frame: Frame
    cell: NDArray[np.int32]

    def of(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Classes of the study cells (n_cells,) on the pixels; 0 outside."""
        return np.concatenate([np.zeros(1, np.uint8), classes])[self.cell]


def cell_picture(grid: StudyGrid) -> CellPicture:
    """Warp the grid to web mercator: each pixel takes the cell that its center lies in."""
    from rasterio.enums import Resampling
    from rasterio.transform import Affine, from_bounds
    from rasterio.warp import reproject

    spec, frame = grid.spec, overlay_frame(grid.spec)
    picture = np.zeros((frame.height, frame.width), np.int32)
    reproject(
        to_raster(grid, np.arange(1, grid.n_cells + 1, dtype=np.int32), np.int32(0)),
        picture,
        src_transform=Affine(spec.cell_size_u, 0.0, spec.west_u, 0.0, -spec.cell_size_u, spec.north_u),
        src_crs=spec.crs,
        dst_transform=from_bounds(frame.west, frame.south, frame.east, frame.north, frame.width, frame.height),
        dst_crs=MERCATOR,
        resampling=Resampling.nearest,
        num_threads=1,
        tolerance=0.0,
    )
    return CellPicture(frame, picture)


def encode_png(picture: NDArray[np.uint8], colors: Sequence[str]) -> str:
    """A palette PNG as a data URI; entry 0 is clear, class k has the k-th color (``#rrggbb``)."""
    palette = b"\x00\x00\x00" + b"".join(bytes.fromhex(color[1:7]) for color in colors)
    height, width = picture.shape
    rows = np.zeros((height, width + 1), np.uint8)  # a filter byte of 0 before every row
    rows[:, 1:] = picture
    png = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", palette)
        + _chunk(b"tRNS", b"\x00")
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 7))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def locate_cells(spec: GridSpec, frame: Frame) -> CellLocator:
    """Polynomials from web mercator to raster column and row.

    Raises
    ------
    PublishError
        The CRS bends too much over the city for a polynomial to follow.
    """
    from pyproj import Transformer

    from rtm_pipeline.errors import PublishError

    x, y = np.meshgrid(np.linspace(frame.west, frame.east, _CORNERS), np.linspace(frame.south, frame.north, _CORNERS))
    back = Transformer.from_crs(MERCATOR, spec.crs, always_xy=True)
    east, north = back.transform(x.ravel(), y.ravel())
    column = (np.asarray(east) - spec.west_u) / spec.cell_size_u
    row = (spec.north_u - np.asarray(north)) / spec.cell_size_u
    center = ((frame.west + frame.east) / 2, (frame.south + frame.north) / 2)
    half = ((frame.east - frame.west) / 2, (frame.north - frame.south) / 2)
    terms = _powers((x.ravel() - center[0]) / half[0], (y.ravel() - center[1]) / half[1])
    fitted = [np.linalg.lstsq(terms, target, rcond=None)[0] for target in (column, row)]
    worst = max(float(np.abs(terms @ f - t).max()) for f, t in zip(fitted, (column, row), strict=True))
    if not worst < _LOCATOR_TOLERANCE:
        raise PublishError(
            f"Places on the web map can't be turned into cells of {spec.crs}: off by {worst:.2f} cells. Choose a "
            "projected CRS made for the city."
        )
    return CellLocator(center, half, *(tuple(float(f"{c:.12g}") for c in f) for f in fitted))


def _powers(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], axis=1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _lonlat(x: float, y: float) -> tuple[float, float]:
    lon = np.degrees(x / RADIUS_M)
    lat = np.degrees(2.0 * np.arctan(np.exp(y / RADIUS_M)) - np.pi / 2.0)
    return float(lon), float(lat)
