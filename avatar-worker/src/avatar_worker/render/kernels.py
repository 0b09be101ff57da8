"""Compiled loops of the CPU renderer: triangles to pixels, and slits.

Texture coordinates are 16.16 fixed point, colours packed little-endian RGBA in 32 bits. A texture
of w x h pixels is stored flat with its last column and row repeated, so its stride is w + 1.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Any, Final

import numpy as np

from .compiling import Array, compiled, inlined

UNSEEN: Final = -(1 << 31)
"""Stands in a map where no triangle lies."""

_EDGE: Final = 1e-4
_SMALLEST_AREA: Final = 1e-6
_NEVER: Final = 1e9


@inlined
def sample(texture: Array, base: int, w: int, h: int, u: Any, v: Any) -> Any:
    """Bilinear colour at (u, v); beyond the edge the outermost pixel goes on.

    Weights are 1/256; red and blue, green and alpha travel two to a word.
    """
    u = min(max(u + 128, 0), (w - 1) << 16)
    v = min(max(v + 128, 0), (h - 1) << 16)
    fx = (u >> 8) & 255
    fy = (v >> 8) & 255
    at = base + (v >> 16) * (w + 1) + (u >> 16)
    both = (fx * fy + 128) >> 8
    right = fx - both
    below = fy - both
    here = 256 - fx - fy + both
    a = np.int64(texture[at])
    b = np.int64(texture[at + 1])
    c = np.int64(texture[at + w + 1])
    d = np.int64(texture[at + w + 2])
    even = (
        (a & 0xFF00FF) * here
        + (b & 0xFF00FF) * right
        + (c & 0xFF00FF) * below
        + (d & 0xFF00FF) * both
        + 0x800080
    )
    odd = (
        ((a >> 8) & 0xFF00FF) * here
        + ((b >> 8) & 0xFF00FF) * right
        + ((c >> 8) & 0xFF00FF) * below
        + ((d >> 8) & 0xFF00FF) * both
        + 0x800080
    )
    return ((even >> 8) & 0xFF00FF) | (odd & 0xFF00FF00)


@inlined
def sample_mask(texture: Array, w: int, h: int, u: Any, v: Any) -> Any:
    """Bilinear value of a one-channel texture, as `sample`."""
    u = min(max(u + 128, 0), (w - 1) << 16)
    v = min(max(v + 128, 0), (h - 1) << 16)
    fx = (u >> 8) & 255
    fy = (v >> 8) & 255
    at = (v >> 16) * (w + 1) + (u >> 16)
    top = texture[at] * (256 - fx) + texture[at + 1] * fx
    bottom = texture[at + w + 1] * (256 - fx) + texture[at + w + 2] * fx
    return (top * (256 - fy) + bottom * fy + 32768) >> 16


@inlined
def mix(back: Any, front: Any, alpha: Any) -> Any:
    """Lay a packed colour over another; alpha 0..255."""
    red = ((front & 255) * alpha + (back & 255) * (255 - alpha) + 127) // 255
    green = (((front >> 8) & 255) * alpha + ((back >> 8) & 255) * (255 - alpha) + 127) // 255
    blue = (((front >> 16) & 255) * alpha + ((back >> 16) & 255) * (255 - alpha) + 127) // 255
    return red | (green << 8) | (blue << 16)


@compiled
def draw_triangles(
    tri: Array,
    uv: Array,
    xy: Array,
    x0: int,
    y0: int,
    target: Array,
    skin: Array,
    plate: Array,
    w: int,
    h: int,
) -> None:
    """Fill triangles: with the person over the plate, or with texture coordinates.

    Args:
        tri: Vertex indices. int32, (T, 3). Triangles that show their back are left out; later
            ones cover earlier ones.
        uv: Texture coordinates of vertices. float32, (V, 2).
        xy: Screen positions of vertices, integers at pixel centres. float32, (V, 2).
        x0: Screen column of the target's first column.
        y0: Screen row of the target's first row.
        target: int32 or uint32, (rows, columns, 2 | 1): two channels take u and v, one takes
            colour.
        skin: Packed texture, flat uint32; empty for a map.
        plate: Packed background as large as the target, (rows, columns); empty for a map.
        w: Width of the texture.
        h: Height of the texture.
    """
    rows, columns, channels = target.shape
    for t in range(tri.shape[0]):
        i, j, k = tri[t, 0], tri[t, 1], tri[t, 2]
        ax, ay = np.float64(xy[i, 0]) - x0, np.float64(xy[i, 1]) - y0
        bx, by = np.float64(xy[j, 0]) - x0, np.float64(xy[j, 1]) - y0
        cx, cy = np.float64(xy[k, 0]) - x0, np.float64(xy[k, 1]) - y0
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not area > _SMALLEST_AREA:
            continue
        top = int(ceil(max(min(ay, by, cy) - _EDGE, 0.0)))
        bottom = int(floor(min(max(ay, by, cy) + _EDGE, rows - 1.0)))
        if bottom < top or max(ax, bx, cx) < 0 or min(ax, bx, cx) > columns - 1:
            continue
        # Every edge bounds the span of a row from the left or from the right: x = p + q y.
        lp0, lq0, lp1, lq1, rp0, rq0, rp1, rq1 = (
            -_NEVER,
            0.0,
            -_NEVER,
            0.0,
            _NEVER,
            0.0,
            _NEVER,
            0.0,
        )
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
        ub, vb = np.float64(uv[j, 0] - uv[i, 0]), np.float64(uv[j, 1] - uv[i, 1])
        uc, vc = np.float64(uv[k, 0] - uv[i, 0]), np.float64(uv[k, 1] - uv[i, 1])
        scale = 65536.0 / area
        ux = (ub * (cy - ay) - uc * (by - ay)) * scale
        uy = (uc * (bx - ax) - ub * (cx - ax)) * scale
        vx = (vb * (cy - ay) - vc * (by - ay)) * scale
        vy = (vc * (bx - ax) - vb * (cx - ax)) * scale
        u_start = uv[i, 0] * 65536.0 - ux * ax - uy * ay
        v_start = uv[i, 1] * 65536.0 - vx * ax - vy * ay
        u_step, v_step = int(floor(ux + 0.5)), int(floor(vx + 0.5))
        for y in range(top, bottom + 1):
            left = int(ceil(max(lp0 + lq0 * y, lp1 + lq1 * y, 0.0) - _EDGE))
            right = int(floor(min(rp0 + rq0 * y, rp1 + rq1 * y, columns - 1.0) + _EDGE))
            u = int(floor(u_start + ux * left + uy * y))
            v = int(floor(v_start + vx * left + vy * y))
            for x in range(left, right + 1):
                if channels == 2:
                    target[y, x, 0] = u
                    target[y, x, 1] = v
                else:
                    colour = sample(skin, 0, w, h, u, v)
                    alpha = colour >> 24
                    if alpha < 255:
                        back = np.int64(plate[y, x])
                        colour = mix(back, colour, alpha)
                    target[y, x, 0] = colour
                u += u_step
                v += v_step


@compiled
def draw_slit(
    canvas: Array,
    plate: Array,
    x0: int,
    y0: int,
    upper: Array,
    lower: Array,
    inner: Array,
    skin: Array,
    mask_upper: Array,
    mask_lower: Array,
    parts: Array,
    table: Array,
    shadow: int,
    reach: int,
    cover: Array,
    column: Array,
) -> None:
    """Draw a slit: its interior, the lower skin over it, the upper skin over that, on the plate.

    The interior is darkened by the mean cover of the upper skin in the rows above each pixel.

    Args:
        canvas: Packed picture. uint32, (H, W).
        plate: Packed background. uint32, (H, W).
        x0: Screen column of the maps' first column.
        y0: Screen row of the maps' first row.
        upper: Map of the upper skin. int32, (rows, columns, 2).
        lower: Map of the lower skin, as `upper`.
        inner: Map of what only follows the head, as `upper`.
        skin: Packed texture, flat.
        mask_upper: Flat one-channel texture as large as the skin.
        mask_lower: Flat one-channel texture as large as the skin.
        parts: Packed textures of the interior, one after the other, flat.
        table: Base, width, height, and the fixed-point texture position of the first pixel
            (x, y) of every part, back to front. int64, (parts, 5).
        shadow: Darkening in 1/256 under full cover.
        reach: Rows that cast the shadow.
        cover: Scratch. int32, (at least rows, columns).
        column: Scratch. int64, (columns,).
    """
    rows, columns = upper.shape[0], upper.shape[1]
    h, w = canvas.shape
    for x in range(columns):
        column[x] = 255 * reach
    for y in range(rows):
        for x in range(columns):
            shade = column[x]
            u, v = np.int64(upper[y, x, 0]), np.int64(upper[y, x, 1])
            over = 255
            if u != UNSEEN:
                over = sample_mask(mask_upper, w, h, u, v)
            cover[y, x] = over
            column[x] = shade + over - (cover[y - reach, x] if y >= reach else 255)
            if u == UNSEEN:
                continue
            colour = sample(skin, 0, w, h, u, v)
            alpha = colour >> 24
            if over < 255 and lower[y, x, 0] != UNSEEN and inner[y, x, 0] != UNSEEN:
                u, v = np.int64(lower[y, x, 0]), np.int64(lower[y, x, 1])
                under = sample_mask(mask_lower, w, h, u, v)
                behind = sample(skin, 0, w, h, u, v)
                if under < 255:
                    u, v = np.int64(inner[y, x, 0]), np.int64(inner[y, x, 1])
                    inside = np.int64(0)
                    for i in range(table.shape[0]):
                        front = sample(
                            parts,
                            table[i, 0],
                            table[i, 1],
                            table[i, 2],
                            u - table[i, 3],
                            v - table[i, 4],
                        )
                        inside = mix(inside, front, front >> 24)
                    light = 65536 - shadow * shade * 256 // (255 * reach)
                    red = ((inside & 255) * light + 32768) >> 16
                    green = (((inside >> 8) & 255) * light + 32768) >> 16
                    blue = (((inside >> 16) & 255) * light + 32768) >> 16
                    behind = mix(red | (green << 8) | (blue << 16), behind, under)
                colour = mix(behind, colour, over)
            if alpha < 255:
                colour = mix(np.int64(plate[y0 + y, x0 + x]), colour, alpha)
            canvas[y0 + y, x0 + x] = colour
