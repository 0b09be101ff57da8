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
_ONE: Final = np.uintp(1)
"""Unsigned indices spare the compiler's check for negative ones."""


@inlined
def sample(texture: Array, base: int, w: int, h: int, u: Any, v: Any) -> Any:
    """Bilinear colour at (u, v); beyond the edge the outermost pixel goes on.

    Weights are 1/256; red and blue, green and alpha travel two to a word.
    """
    u = min(max(u + 128, 0), (w - 1) << 16)
    v = min(max(v + 128, 0), (h - 1) << 16)
    fx = (u >> 8) & 255
    fy = (v >> 8) & 255
    at = np.uintp(base + (v >> 16) * (w + 1) + (u >> 16))
    next_row = at + np.uintp(w + 1)
    both = (fx * fy + 128) >> 8
    right = fx - both
    below = fy - both
    here = 256 - fx - fy + both
    a = np.int64(texture[at])
    b = np.int64(texture[at + _ONE])
    c = np.int64(texture[next_row])
    d = np.int64(texture[next_row + _ONE])
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


@compiled
def draw_upper(
    canvas: Array,
    plate: Array,
    x0: int,
    y0: int,
    upper: Array,
    skin: Array,
    mask: Array,
    cover: Array,
) -> tuple[int, int, int, int]:
    """Draw the upper skin where nothing shows through it, and say where something does.

    Args:
        canvas: Packed picture. uint32, (H, W).
        plate: Packed background. uint32, (H, W).
        x0: Screen column of the map's first column.
        y0: Screen row of the map's first row.
        upper: Map of the upper skin. int32, (rows, columns, 2).
        skin: Packed texture, flat.
        mask: Cover by the upper skin, flat. uint8, as large as the picture.
        cover: Filled with the cover of every pixel, 255 where the map has none.
            int32, (rows, columns).

    Returns:
        Box (left, top, right, bottom) of incomplete cover within the map; right <= left if none.
    """
    rows, columns = cover.shape
    h, w = canvas.shape
    left, top, right, bottom = columns, rows, 0, 0
    for y in range(rows):
        for x in range(columns):
            cover[y, x] = 255
            u, v = np.int64(upper[y, x, 0]), np.int64(upper[y, x, 1])
            if u == UNSEEN:
                continue
            over = sample_mask(mask, w, h, u, v)
            if over < 255:
                cover[y, x] = over
                left, right = min(left, x), max(right, x + 1)
                top, bottom = min(top, y), y + 1
                continue
            colour = sample(skin, 0, w, h, u, v)
            alpha = colour >> 24
            if alpha < 255:
                colour = mix(np.int64(plate[y0 + y, x0 + x]), colour, alpha)
            canvas[y0 + y, x0 + x] = colour
    return left, top, right, bottom


@compiled
def cover_lower(lower: Array, mask: Array, w: int, h: int, cover: Array) -> bool:
    """Fill in the lower skin's cover; say whether the interior shows anywhere.

    Args:
        lower: Map of the lower skin. int32, (rows, columns, 2).
        mask: Cover by the lower skin, flat. uint8.
        w: The mask's width.
        h: The mask's height.
        cover: 255 where the map has none. int32, (rows, columns).
    """
    shows = False
    for y in range(cover.shape[0]):
        for x in range(cover.shape[1]):
            u = np.int64(lower[y, x, 0])
            under = 255
            if u != UNSEEN:
                under = sample_mask(mask, w, h, u, np.int64(lower[y, x, 1]))
            cover[y, x] = under
            shows |= under < 255
    return shows


@compiled
def draw_slit(
    canvas: Array,
    plate: Array,
    box: tuple[int, int, int, int],
    maps: tuple[Array, Array, Array],
    covers: tuple[Array, Array],
    skin: Array,
    parts: Array,
    table: Array,
    shadow: int,
    reach: int,
    column: Array,
) -> None:
    """Draw where the upper skin is not alone: interior, lower skin, upper skin, on the plate.

    The interior is darkened by the mean cover of the upper skin in the rows above each pixel.

    Args:
        canvas: Packed picture. uint32, (H, W).
        plate: Packed background. uint32, (H, W).
        box: Left and top of the upper map and its cover on the screen; left and top of the other
            maps and the lower cover within them.
        maps: Upper, lower and inner map. The last two have the size of the lower cover.
        covers: By the upper and by the lower skin. int32.
        skin: Packed texture, flat.
        parts: Packed textures of the interior, one after the other, flat.
        table: Base, width, height, and the fixed-point texture position of the first pixel
            (x, y) of every part, back to front. int64, (parts, 5).
        shadow: Darkening in 1/256 under full cover.
        reach: Rows that cast the shadow.
        column: Scratch. int64, (columns or more,).
    """
    upper, lower, inner = maps
    over_all, over_inner = covers
    x0, y0, left, top = box
    h, w = canvas.shape
    rows, columns = over_inner.shape
    # Above the box the cover is complete.
    for x in range(columns):
        column[x] = 255 * reach
    for y in range(rows):
        for x in range(columns):
            over = np.int64(over_all[top + y, left + x])
            shade = column[x]
            leaving = np.int64(over_all[top + y - reach, left + x]) if y >= reach else 255
            column[x] = shade + over - leaving
            if over == 255:
                continue
            u, v = np.int64(upper[top + y, left + x, 0]), np.int64(upper[top + y, left + x, 1])
            colour = sample(skin, 0, w, h, u, v)
            alpha = colour >> 24
            u, v = np.int64(lower[y, x, 0]), np.int64(lower[y, x, 1])
            if u != UNSEEN:
                under = np.int64(over_inner[y, x])
                behind = sample(skin, 0, w, h, u, v)
                u, v = np.int64(inner[y, x, 0]), np.int64(inner[y, x, 1])
                if under < 255 and u != UNSEEN:
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
                colour = mix(np.int64(plate[y0 + top + y, x0 + left + x]), colour, alpha)
            canvas[y0 + top + y, x0 + left + x] = colour
