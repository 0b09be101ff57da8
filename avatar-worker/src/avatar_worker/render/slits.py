"""Slits to pixels: an interior under two skins that slide apart."""

from __future__ import annotations

import numpy as np

from .compiling import Array, compiled
from .raster import UNSEEN
from .sampling import mix, sample, sample_mask


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
def cover_lower(lower: Array, mask: Array, w: int, h: int, cover: Array) -> tuple[int, int]:
    """Fill in the lower skin's cover; say in which rows the interior shows.

    Args:
        lower: Map of the lower skin. int32, (rows, columns, 2).
        mask: Cover by the lower skin, flat. uint8.
        w: The mask's width.
        h: The mask's height.
        cover: 255 where the map has none. int32, (rows, columns).

    Returns:
        The first such row and one past the last; the second is 0 if there is none.
    """
    first, stop = cover.shape[0], 0
    for y in range(cover.shape[0]):
        for x in range(cover.shape[1]):
            u = np.int64(lower[y, x, 0])
            under = 255
            if u != UNSEEN:
                under = sample_mask(mask, w, h, u, np.int64(lower[y, x, 1]))
            cover[y, x] = under
            if under < 255:
                first, stop = min(first, y), y + 1
    return first, stop


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
    solid: bool,
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
        solid: Whether the person hides the plate wherever this slit may be.
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
            colour = np.int64(0)
            alpha = np.int64(255)
            if over > 0 or not solid or lower[y, x, 0] == UNSEEN:
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
                colour = mix(behind, colour, over) if over > 0 else behind
            if alpha < 255:
                colour = mix(np.int64(plate[y0 + top + y, x0 + left + x]), colour, alpha)
            canvas[y0 + top + y, x0 + left + x] = colour
