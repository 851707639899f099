"""Quartic kernel sums at cell centers, exact, for points, lines and polygons.

The kernel of radius h is ``k(d) = (1 - d^2 / h^2)^2`` for d < h, else 0; it is not normalized (its integral over the
disc is ``pi h^2 / 3``). Points are summed; lines are integrated along their length and polygons over their area, in
closed form.

All three work raster row by raster row: every feature within reach of the row adds to a run of columns, in the fixed
order in which features are sorted. A cell's sum therefore does not depend on threads, on how rows are split among
them, or on the order of the input, and the inner loops run over neighboring cells, which vectorizes without
reordering any sum. No fastmath: each operation rounds as IEEE 754 says.

Features come sorted by their southern end; ``reach[k]`` is the northernmost end among the first k + 1, so those that
can touch a row are one contiguous run.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["inside_rows", "line_rows", "point_rows", "polygon_rows"]

_NODE = 0.7745966692414834  # sqrt(3/5): three-point Gauss-Legendre, exact for polynomials up to degree 5
_TINY_X = 1e-100  # a center exactly on a boundary counts as this far east of it ...
_TINY_Y = 1e-160  # ... and this far north
_SLACK = 1e-9  # columns are taken a little too far rather than too short; beyond h they add zero


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _columns(left, right, first_x, per_size, begin, end):  # type: ignore[no-untyped-def]
    """Columns of [begin, end) whose centers may lie in [left, right], as a half-open range."""
    low = np.ceil((left - first_x) * per_size - _SLACK)
    high = np.floor((right - first_x) * per_size + _SLACK) + 1.0
    return int(max(low, begin)), int(min(high, end))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def point_rows(px, py, x, y, row_start, cols, first_row, last_row, h, out):  # type: ignore[no-untyped-def]
    """Sum of the kernel over points.

    Parameters
    ----------
    px, py : float64 [m]
        Sorted by y.
    x, y : float64 [n_cols], [n_rows]
        Centers of columns and of rows (north to south).
    row_start, cols : int64 [n_rows + 1], int32 [n]
        Study cells of each row.
    first_row, last_row : int
        Rows to fill.
    h : float
    out : float64 [n]
        Filled for the cells of these rows.
    """
    n_cols = x.size
    per_size = (n_cols - 1) / (x[n_cols - 1] - x[0]) if n_cols > 1 else 1.0
    inverse = 1.0 / (h * h)
    row_sum = np.zeros(n_cols)
    for row in range(first_row, last_row):
        if row_start[row] == row_start[row + 1]:
            continue
        begin, end = cols[row_start[row]], cols[row_start[row + 1] - 1] + 1
        row_sum[begin:end] = 0.0
        at = y[row]
        for k in range(np.searchsorted(py, at - h), np.searchsorted(py, at + h)):
            dy = py[k] - at
            dy2 = dy * dy
            half = np.sqrt(max(h * h - dy2, 0.0))
            px_k = px[k]
            low, high = _columns(px_k - half, px_k + half, x[0], per_size, begin, end)
            if low >= high:
                continue
            cells, centers = row_sum[low:high], x[low:high]
            for i in range(cells.size):
                dx = px_k - centers[i]
                u = 1.0 - (dx * dx + dy2) * inverse
                u = u if u > 0.0 else 0.0
                cells[i] += u * u
        for i in range(row_start[row], row_start[row + 1]):
            out[i] = row_sum[cols[i]]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _span(ax, ay, bx, by, at, h):  # type: ignore[no-untyped-def]
    """X range of the part of a segment within h of the row at ``at``, widened by h."""
    low_x, high_x = min(ax, bx), max(ax, bx)
    if ay != by:
        slope = (bx - ax) / (by - ay)
        one, two = ax + (at - h - ay) * slope, ax + (at + h - ay) * slope
        left, right = max(low_x, min(one, two)), min(high_x, max(one, two))
        return min(left, high_x) - h, max(right, low_x) + h
    return low_x - h, high_x + h


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_line(cells, centers, ax, ay, bx, by, h):  # type: ignore[no-untyped-def]
    """Add a segment's part to a run of cells of one row; y is counted from the row."""
    h2 = h * h
    inverse = 1.0 / h2
    length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
    ux, uy = (bx - ax) / length, (by - ay) / length
    for i in range(cells.size):
        rx = ax - centers[i]
        across = rx * uy - ay * ux
        along = rx * ux + ay * uy
        w2 = h2 - across * across
        w = np.sqrt(w2 if w2 > 0.0 else 0.0)
        start = along if along > -w else -w
        stop = along + length
        stop = stop if stop < w else w
        half = 0.5 * (stop - start)
        half = half if half > 0.0 else 0.0
        middle = 0.5 * (stop + start)
        one, two = middle - _NODE * half, middle + _NODE * half
        u0 = (w2 - middle * middle) * inverse
        u1 = (w2 - one * one) * inverse
        u2 = (w2 - two * two) * inverse
        cells[i] += half * (5.0 * (u1 * u1 + u2 * u2) + 8.0 * (u0 * u0)) / 9.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def line_rows(ax, ay, bx, by, reach, x, y, row_start, cols, first_row, last_row, h, out):  # type: ignore[no-untyped-def]
    """Integral of the kernel along segments: per segment, three-point Gauss-Legendre on its part in the disc.

    The kernel along a straight line is a polynomial of degree 4, so three points are exact, and no term is negative.
    Parameters as for `point_rows`, with segments (ax, ay)-(bx, by) of positive length, sorted by their southern end.
    """
    n_cols = x.size
    per_size = (n_cols - 1) / (x[n_cols - 1] - x[0]) if n_cols > 1 else 1.0
    row_sum = np.zeros(n_cols)
    south = np.minimum(ay, by)
    for row in range(first_row, last_row):
        if row_start[row] == row_start[row + 1]:
            continue
        begin, end = cols[row_start[row]], cols[row_start[row + 1] - 1] + 1
        row_sum[begin:end] = 0.0
        at = y[row]
        for k in range(np.searchsorted(reach, at - h), np.searchsorted(south, at + h)):
            if max(ay[k], by[k]) <= at - h:
                continue
            left, right = _span(ax[k], ay[k], bx[k], by[k], at, h)
            low, high = _columns(left, right, x[0], per_size, begin, end)
            if low >= high:
                continue
            _add_line(row_sum[low:high], x[low:high], ax[k], ay[k] - at, bx[k], by[k] - at, h)
        for i in range(row_start[row], row_start[row + 1]):
            out[i] = row_sum[cols[i]]


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _angle(sine, cosine):  # type: ignore[no-untyped-def]
    """``atan2(sine, cosine)`` to about 3e-16 of itself by Cephes' rational form; without branches, so it vectorizes."""
    up, side = abs(sine), abs(cosine)
    small, large = min(up, side), max(up, side)
    steep = 1.0 * (small > 0.41421356237309503 * large)
    q = (small - steep * large) / max(large + steep * small, 5e-324)
    z = q * q
    p = -8.750608600031904122785e-1 * z - 1.615753718733365076637e1
    p = (p * z - 7.500855792314704667340e1) * z - 1.228866684490136173410e2
    p = p * z - 6.485021904942025371773e1
    r = (z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2
    r = (r * z + 4.328810604912902668951e2) * z + 4.853903996359136964868e2
    r = r * z + 1.945506571482613964425e2
    angle = q * (z * p / r) + q + steep * 0.7853981633974483
    over = 1.0 * (up > side)
    angle = over * 1.5707963267948966 + (1.0 - 2.0 * over) * angle
    behind = 1.0 * (cosine < 0.0)
    angle = behind * 3.141592653589793 + (1.0 - 2.0 * behind) * angle
    return np.copysign(angle, sine)


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _turn(rax, ray, rbx, rby, dx, dy):  # type: ignore[no-untyped-def]
    """Cross product of the ways from a center to both ends of an edge; never 0: on the edge's line, east of it."""
    cross = rax * rby - ray * rbx
    return cross if cross != 0.0 else _TINY_Y * dx - _TINY_X * dy


@numba.njit(nogil=True, cache=True, error_model="numpy")
def winding_row(ax, ay, bx, by, first, last, x, at, begin, end, winding):  # type: ignore[no-untyped-def]
    """Winding number of the edges first ... last - 1 around the centers of one row, columns begin ... end - 1.

    Every edge that crosses the row's y adds to all centers west of it. ``winding`` is int32 [n_cols + 1].
    """
    n_cols = x.size
    per_size = (n_cols - 1) / (x[n_cols - 1] - x[0]) if n_cols > 1 else 1.0
    winding[begin : end + 1] = 0
    for k in range(first, last):
        ray, rby = ay[k] - at, by[k] - at
        if (ray <= 0.0) == (rby <= 0.0):
            continue
        dx, dy = bx[k] - ax[k], by[k] - ay[k]
        crossing = ax[k] - ray * (dx / dy)
        column = int(min(max(np.floor((crossing - x[0]) * per_size), begin - 1.0), end - 1.0))
        # The crossing rounds; the sign that the density uses decides which center is still west of the edge.
        up = dy > 0.0
        while column + 1 < end and _is_west(ax[k], ray, bx[k], rby, dx, dy, x[column + 1], up):
            column += 1
        while column >= begin and not _is_west(ax[k], ray, bx[k], rby, dx, dy, x[column], up):
            column -= 1
        if column >= begin:
            winding[begin] += 1 if up else -1
            winding[column + 1] -= 1 if up else -1
    for i in range(begin + 1, end):
        winding[i] += winding[i - 1]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _is_west(ax, ray, bx, rby, dx, dy, center, up):  # type: ignore[no-untyped-def]
    rax, rbx, a_y, b_y = ax - center, bx - center, ray, rby
    if rax == 0.0 and a_y == 0.0:
        rax, a_y = -_TINY_X, -_TINY_Y
    if rbx == 0.0 and b_y == 0.0:
        rbx, b_y = -_TINY_X, -_TINY_Y
    return (_turn(rax, a_y, rbx, b_y, dx, dy) > 0.0) == up


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_edge(cells, centers, ax, ay, bx, by, h):  # type: ignore[no-untyped-def]
    """Take the integral of H along an edge from a run of cells of one row; y is counted from the row."""
    h2 = h * h
    inverse = 1.0 / h2
    dx, dy = bx - ax, by - ay
    length = np.sqrt(dx * dx + dy * dy)
    ux, uy, per_length = dx / length, dy / length, 1.0 / length
    for i in range(cells.size):
        rax, ray, rbx, rby = ax - centers[i], ay, bx - centers[i], by
        on_a = rax == 0.0 and ray == 0.0
        on_b = rbx == 0.0 and rby == 0.0
        rax = -_TINY_X if on_a else rax
        ray = -_TINY_Y if on_a else ray
        rbx = -_TINY_X if on_b else rbx
        rby = -_TINY_Y if on_b else rby
        across = _turn(rax, ray, rbx, rby, dx, dy) * per_length
        across2 = across * across
        w2 = h2 - across2
        w = np.sqrt(w2 if w2 > 0.0 else 0.0)
        start = rax * ux + ray * uy
        stop = rbx * ux + rby * uy
        start = start if start > -w else -w
        stop = stop if stop < w else w
        inside = stop > start
        half = 0.5 * (stop - start)
        middle = 0.5 * (stop + start)
        one, two = middle - _NODE * half, middle + _NODE * half
        q0 = (across2 + middle * middle) * inverse
        q1 = (across2 + one * one) * inverse
        q2 = (across2 + two * two) * inverse
        g0, g1, g2 = (3.0 - q0) * q0 - 3.0, (3.0 - q1) * q1 - 3.0, (3.0 - q2) * q2 - 3.0
        smooth = across * half * (5.0 * (g1 + g2) + 8.0 * g0) / 9.0
        turned = _angle(across * (stop - start), across2 + start * stop)
        part = (h2 * turned + smooth) / 6.0
        cells[i] -= part if inside else 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def polygon_rows(ax, ay, bx, by, reach, x, y, row_start, cols, first_row, last_row, h, out):  # type: ignore[no-untyped-def]
    """Integral of the kernel over the area of polygons, from their edges alone.

    In polar coordinates around a center, the kernel integrated outwards from radius r to h is
    ``H(r) = h^2/6 (1 - r^2/h^2)^3``. The integral over the area is ``H(0)`` times the angle that the boundary turns
    around the center (2 pi inside, 0 outside) less the integral of ``H(r)`` over the angle along the edges, of which
    only the parts within h count. Along an edge, ``H(r)`` times the angle is a polynomial of degree 4 (three-point
    Gauss-Legendre is exact) and the angle itself.

    Parameters as for `line_rows`: edges with the inside on their left, of positive length. Accurate to about 1e-15 of
    ``pi h^2 / 3`` an edge within reach.
    """
    n_cols = x.size
    per_size = (n_cols - 1) / (x[n_cols - 1] - x[0]) if n_cols > 1 else 1.0
    whole = np.pi * h * h / 3.0
    row_sum = np.zeros(n_cols)
    winding = np.zeros(n_cols + 1, np.int32)
    south = np.minimum(ay, by)
    for row in range(first_row, last_row):
        if row_start[row] == row_start[row + 1]:
            continue
        begin, end = cols[row_start[row]], cols[row_start[row + 1] - 1] + 1
        at = y[row]
        first, last = np.searchsorted(reach, at - h), np.searchsorted(south, at + h)
        winding_row(ax, ay, bx, by, first, last, x, at, begin, end, winding)
        for i in range(begin, end):
            row_sum[i] = whole * winding[i]
        for k in range(first, last):
            if max(ay[k], by[k]) <= at - h:
                continue
            left, right = _span(ax[k], ay[k], bx[k], by[k], at, h)
            low, high = _columns(left, right, x[0], per_size, begin, end)
            if low >= high:
                continue
            _add_edge(row_sum[low:high], x[low:high], ax[k], ay[k] - at, bx[k], by[k] - at, h)
        for i in range(row_start[row], row_start[row + 1]):
            value = row_sum[cols[i]]
            out[i] = value if value > 0.0 else 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def inside_rows(ax, ay, bx, by, reach, x, y, row_start, cols, first_row, last_row, inside):  # type: ignore[no-untyped-def]
    """Whether each center lies in a polygon. Parameters as for `polygon_rows`; ``inside`` is bool [n]."""
    winding = np.zeros(x.size + 1, np.int32)
    south = np.minimum(ay, by)
    for row in range(first_row, last_row):
        if row_start[row] == row_start[row + 1]:
            continue
        begin, end = cols[row_start[row]], cols[row_start[row + 1] - 1] + 1
        at = y[row]
        first, last = np.searchsorted(reach, at), np.searchsorted(south, at, side="right")
        winding_row(ax, ay, bx, by, first, last, x, at, begin, end, winding)
        for i in range(row_start[row], row_start[row + 1]):
            inside[i] = winding[cols[i]] != 0
