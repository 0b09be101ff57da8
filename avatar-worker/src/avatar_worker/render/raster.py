"""Triangles to pixels: the person over the plate, or maps of texture coordinates."""

from __future__ import annotations

from math import ceil, floor
from typing import Any, Final

import numpy as np

from .compiling import Array, compiled, inlined
from .sampling import mix, sample

UNSEEN: Final = -(1 << 31)
"""Stands in a map where no triangle lies."""

_EDGE: Final = 1e-4
_SMALLEST_AREA: Final = 1e-6
_NEVER: Final = 1e9


@inlined
def _setup(tri: Array, uv: Array, xy: Array, t: int, x0: int, y0: int, rows: int) -> Any:
    """Prepare a triangle: rows top..bottom (none if it shows its back), spans, gradients.

    A row's span reaches from max(lp + lq y) to min(rp + rq y); u and v are a + b x + c y.
    """
    i, j, k = np.uintp(tri[t, 0]), np.uintp(tri[t, 1]), np.uintp(tri[t, 2])
    ax, ay = np.float64(xy[i, 0]) - x0, np.float64(xy[i, 1]) - y0
    bx, by = np.float64(xy[j, 0]) - x0, np.float64(xy[j, 1]) - y0
    cx, cy = np.float64(xy[k, 0]) - x0, np.float64(xy[k, 1]) - y0
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    top, bottom = 0, -1
    lp0, lq0, lp1, lq1 = -_NEVER, 0.0, -_NEVER, 0.0
    rp0, rq0, rp1, rq1 = _NEVER, 0.0, _NEVER, 0.0
    ua, ub, uc, va, vb, vc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if area > _SMALLEST_AREA:
        top = int(ceil(max(min(ay, by, cy) - _EDGE, 0.0)))
        bottom = int(floor(min(max(ay, by, cy) + _EDGE, rows - 1.0)))
    if bottom >= top:
        # Going round, edges that rise bound a row from the left, edges that fall from the right.
        for e in range(3):
            if e == 0:
                sx, sy, ex, ey = ax, ay, bx, by
            elif e == 1:
                sx, sy, ex, ey = bx, by, cx, cy
            else:
                sx, sy, ex, ey = cx, cy, ax, ay
            if ey == sy:
                continue
            q = (ex - sx) / (ey - sy)
            p = sx - q * sy
            if ey < sy:
                lp1, lq1, lp0, lq0 = lp0, lq0, p, q
            else:
                rp1, rq1, rp0, rq0 = rp0, rq0, p, q
        scale = 65536.0 / area
        du, dv = np.float64(uv[j, 0] - uv[i, 0]), np.float64(uv[j, 1] - uv[i, 1])
        eu, ev = np.float64(uv[k, 0] - uv[i, 0]), np.float64(uv[k, 1] - uv[i, 1])
        ub = (du * (cy - ay) - eu * (by - ay)) * scale
        uc = (eu * (bx - ax) - du * (cx - ax)) * scale
        vb = (dv * (cy - ay) - ev * (by - ay)) * scale
        vc = (ev * (bx - ax) - dv * (cx - ax)) * scale
        ua = uv[i, 0] * 65536.0 - ub * ax - uc * ay
        va = uv[i, 1] * 65536.0 - vb * ax - vc * ay
    return top, bottom, lp0, lq0, lp1, lq1, rp0, rq0, rp1, rq1, ua, ub, uc, va, vb, vc


@compiled
def draw_skin(tri: Array, uv: Array, xy: Array, canvas: Array, skin: Array, plate: Array) -> None:
    """Fill triangles with the person over the plate.

    Args:
        tri: Vertex indices. int32, (T, 3). Triangles that show their back are left out; later
            ones cover earlier ones.
        uv: Texture coordinates of vertices. float32, (V, 2).
        xy: Screen positions of vertices, integers at pixel centres. float32, (V, 2).
        canvas: Packed picture. uint32, (H, W).
        skin: Packed texture as large as the picture, flat. uint32.
        plate: Packed background. uint32, (H, W).
    """
    rows, columns = canvas.shape
    for t in range(tri.shape[0]):
        top, bottom, lp0, lq0, lp1, lq1, rp0, rq0, rp1, rq1, ua, ub, uc, va, vb, vc = _setup(
            tri, uv, xy, t, 0, 0, rows
        )
        u_step, v_step = int(floor(ub + 0.5)), int(floor(vb + 0.5))
        for y in range(top, bottom + 1):
            left = int(ceil(max(lp0 + lq0 * y, lp1 + lq1 * y, 0.0) - _EDGE))
            right = int(floor(min(rp0 + rq0 * y, rp1 + rq1 * y, columns - 1.0) + _EDGE))
            u = int(floor(ua + ub * left + uc * y))
            v = int(floor(va + vb * left + vc * y))
            for x in range(left, right + 1):
                colour = sample(skin, 0, columns, rows, u, v)
                alpha = colour >> 24
                at = np.uintp(x)
                if alpha < 255:
                    colour = mix(np.int64(plate[y, at]), colour, alpha)
                canvas[y, at] = colour
                u += u_step
                v += v_step


@compiled
def draw_map(tri: Array, uv: Array, xy: Array, x0: int, y0: int, target: Array) -> None:
    """Fill triangles with texture coordinates.

    Args:
        tri: As of `draw_skin`.
        uv: As of `draw_skin`.
        xy: As of `draw_skin`.
        x0: Screen column of the map's first column.
        y0: Screen row of the map's first row.
        target: The map, u and v. int32, (rows, columns, 2).
    """
    rows, columns = target.shape[0], target.shape[1]
    for t in range(tri.shape[0]):
        top, bottom, lp0, lq0, lp1, lq1, rp0, rq0, rp1, rq1, ua, ub, uc, va, vb, vc = _setup(
            tri, uv, xy, t, x0, y0, rows
        )
        u_step, v_step = int(floor(ub + 0.5)), int(floor(vb + 0.5))
        for y in range(top, bottom + 1):
            left = int(ceil(max(lp0 + lq0 * y, lp1 + lq1 * y, 0.0) - _EDGE))
            right = int(floor(min(rp0 + rq0 * y, rp1 + rq1 * y, columns - 1.0) + _EDGE))
            u = int(floor(ua + ub * left + uc * y))
            v = int(floor(va + vb * left + vc * y))
            for x in range(left, right + 1):
                at = np.uintp(x)
                target[y, at, 0] = u
                target[y, at, 1] = v
                u += u_step
                v += v_step
