"""What shows through a slit: an interior under two skins that slide apart, drawn pixel by pixel.

Only cells where skins part are looked at, and only blocks of 2 x 2 pixels that something shows
through are touched, so that each chroma sample is the mean of four colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cells import SHEET
from .colour import luma_of
from .compiling import Array, compiled, folded
from .nodes import STEP, UNSEEN
from .sampling import mix, sample, sample_mask
from .walk import find, fixed


@compiled
def find_inner(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    grid: Array,
    xy: Array,
    w: int,
    h: int,
    inner: Array,
) -> None:
    """Fill in the nodes of what only follows the head, around the cells where skins part.

    Args:
        box: Left, top, right, bottom of these cells.
        tag: The slit's mark.
        exact: Which cells these are. uint8, (rows, columns).
        grid: The mesh.
        xy: Screen positions of vertices. float32, (V, 2).
        w: The picture's width.
        h: The picture's height.
        inner: Fine nodes.
    """
    inner[:, 2 * box[1] : 2 * box[3] + 1, 2 * box[0] : 2 * box[2] + 1] = UNSEEN
    i, j = (grid[1] - 2) // 2, (grid[2] - 2) // 2
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            if exact[y, x] != tag:
                continue
            for n in range(9):
                row, column = 2 * y + n // 3, 2 * x + n % 3
                if inner[0, row, column] != UNSEEN:
                    continue
                px, py = min(STEP * column, w - 1), min(STEP * row, h - 1)
                found, below, u, v = find(grid, xy, np.float64(px), np.float64(py), i, j)
                if found >= 0:
                    i, j = found, below
                    inner[0, row, column], inner[1, row, column] = fixed(u, w - 1), fixed(v, h - 1)


@compiled
def cover_upper(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    kinds: Array,
    owner: Array,
    upper: Array,
    lower: Array,
    mask: Array,
    w: int,
    h: int,
    over: Array,
) -> None:
    """Say how the upper skin covers each pixel: exactly where skins part, roughly elsewhere.

    Args:
        box: Left, top, right, bottom of cells.
        tag: The slit's mark in `exact` and `owner`.
        exact: Where skins part. uint8, (rows, columns) of cells.
        kinds: What the other cells were drawn from. uint8, as large.
        owner: Which slit each fine node belongs to. uint8.
        upper: Fine nodes of the upper skin.
        lower: Fine nodes of the lower skin; where it is missing, the upper one is alone.
        mask: Cover by the upper skin, flat. uint8, as large as the picture.
        w: The mask's width.
        h: The mask's height.
        over: Filled. int32, (rows, columns) of pixels.
    """
    for y in range(2 * box[1], 2 * box[3]):
        for x in range(2 * box[0], 2 * box[2]):
            part = over[4 * y - 8 * box[1] :, 4 * x - 8 * box[0] :][:4, :4]
            mark = exact[y >> 1, x >> 1]
            if mark != tag:
                part[:] = 0 if kinds[y >> 1, x >> 1] >> SHEET else 255
                continue
            own = True
            for n in range(4):
                row, column = y + (n >> 1), x + (n & 1)
                own = own and owner[row, column] == tag and lower[0, row, column] != UNSEEN
            if not own:
                part[:] = 255
                continue
            for row in range(part.shape[0]):
                u, v, across, down = _line(upper, y, x, row)
                for column in range(part.shape[1]):
                    part[row, column] = sample_mask(mask, w, h, u, v)
                    u += across
                    v += down


@folded
def _line(at: Array, y: int, x: int, row: int) -> tuple[Any, Any, Any, Any]:
    """Where a line of pixels between four nodes begins, and its steps to the right."""
    u = np.int64(at[0, y, x]) * (4 - row) + np.int64(at[0, y + 1, x]) * row
    v = np.int64(at[1, y, x]) * (4 - row) + np.int64(at[1, y + 1, x]) * row
    across = np.int64(at[0, y, x + 1]) * (4 - row) + np.int64(at[0, y + 1, x + 1]) * row - u
    down = np.int64(at[1, y, x + 1]) * (4 - row) + np.int64(at[1, y + 1, x + 1]) * row - v
    return u >> 2, v >> 2, across >> 4, down >> 4


@compiled
def add_above(over: Array, reach: int, total: Array) -> None:
    """Add up the cover in the `reach` rows above each pixel; above the first row it is complete.

    Args:
        over: int32, (rows, columns).
        reach: At least 1.
        total: Filled. int32, (rows, columns).
    """
    rows, columns = over.shape
    for x in range(columns):
        total[0, x] = 255 * reach
    for y in range(1, rows):
        line, before, above = total[y], total[y - 1], over[y - 1]
        if y > reach:
            leaving = over[y - 1 - reach]
            for x in range(columns):
                line[x] = before[x] + above[x] - leaving[x]
        else:
            for x in range(columns):
                line[x] = before[x] + above[x] - 255


@compiled
def draw_cells(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    upper: Array,
    lower: Array,
    inner: Array,
    over: Array,
    shade: Array,
    skin: Array,
    mask: Array,
    plate: Array,
    parts: Array,
    table: Array,
    shading: tuple[int, int],
    colour: Array,
    scratch: Array,
    out: Array,
) -> None:
    """Draw the cells of a slit where its skins part.

    Args:
        box: Left, top, right, bottom of cells.
        tag: The slit's mark.
        exact: Which cells these are. uint8, (rows, columns).
        upper: Fine nodes of the upper skin.
        lower: Fine nodes of the lower skin.
        inner: Fine nodes of what only follows the head.
        over: From `cover_upper`.
        shade: From `add_above`.
        skin: Packed skin, flat. uint32.
        mask: Cover by the lower skin, flat. uint8.
        plate: Packed background. uint32, (H, W).
        parts: Packed textures of the interior, one after the other, flat. uint32.
        table: Base, width, height, and the fixed-point texture position of the first pixel
            (x, y) of every one, back to front. int64, (parts, 5).
        shading: Darkening in 1/256 under full cover; rows that cast the shadow.
        colour: From `colour.coefficients`.
        scratch: int64, (16,).
        out: I420, holding the person.
    """
    h, w = plate.shape
    shadow, reach = shading
    for y in range(2 * box[1], 2 * box[3]):
        for x in range(2 * box[0], 2 * box[2]):
            if exact[y >> 1, x >> 1] != tag:
                continue
            y0, x0 = 4 * y - 8 * box[1], 4 * x - 8 * box[0]
            part = over[y0 : y0 + 4, x0 : x0 + 4]
            if not _open(part, scratch):
                continue
            inside = inner[0, y, x] != UNSEEN and inner[0, y, x + 1] != UNSEEN
            inside = inside and inner[0, y + 1, x] != UNSEEN and inner[0, y + 1, x + 1] != UNSEEN
            for row in range(part.shape[0]):
                u, v, across, down = _line(upper, y, x, row)
                p, q, p_step, q_step = _line(lower, y, x, row)
                s, t, s_step, t_step = _line(inner, y, x, row)
                for column in range(part.shape[1]):
                    n = 4 * row + column
                    if scratch[n]:
                        cover = np.int64(part[row, column])
                        pixel = sample(skin, 0, w, h, u, v)
                        alpha = pixel >> 24
                        if cover < 255:
                            under = np.int64(255)
                            if inside:
                                under = np.int64(sample_mask(mask, w, h, p, q))
                            behind = np.int64(0)
                            if under > 0:
                                behind = sample(skin, 0, w, h, p, q)
                            if under < 255:
                                seen = np.int64(0)
                                for k in range(table.shape[0]):
                                    a, b = s - table[k, 3], t - table[k, 4]
                                    wide, high = table[k, 1], table[k, 2]
                                    front = sample(parts, table[k, 0], wide, high, a, b)
                                    seen = mix(seen, front, front >> 24)
                                above = np.int64(shade[y0 + row, x0 + column])
                                light = 65536 - shadow * above * 256 // (255 * reach)
                                red = ((seen & 255) * light + 32768) >> 16
                                green = (((seen >> 8) & 255) * light + 32768) >> 16
                                blue = (((seen >> 16) & 255) * light + 32768) >> 16
                                behind = mix(red | (green << 8) | (blue << 16), behind, under)
                            pixel = mix(behind, pixel, cover)
                        if alpha < 255:
                            at_y, at_x = 4 * y + row, 4 * x + column
                            pixel = mix(np.int64(plate[at_y, at_x]), pixel, alpha)
                        scratch[n] = 1 | (pixel << 8)
                    u, v, p, q = u + across, v + down, p + p_step, q + q_step
                    s, t = s + s_step, t + t_step
            _store(4 * y, 4 * x, part.shape[0], part.shape[1], w, h, scratch, colour, out)


@folded
def _open(part: Array, scratch: Array) -> bool:
    """Mark the pixels of all blocks that something shows through; say whether there are any."""
    found = False
    for y in range(0, part.shape[0], 2):
        for x in range(0, part.shape[1], 2):
            some = part[y, x] & part[y, x + 1] & part[y + 1, x] & part[y + 1, x + 1] != 255
            found = found or some
            n = 4 * y + x
            scratch[n] = scratch[n + 1] = scratch[n + 4] = scratch[n + 5] = some
    return found


@folded
def _store(
    y0: int,
    x0: int,
    rows: int,
    columns: int,
    w: int,
    h: int,
    scratch: Array,
    colour: Array,
    out: Array,
) -> None:
    """Write marked blocks of colours into the planes."""
    for y in range(0, rows, 2):
        for x in range(0, columns, 2):
            n = 4 * y + x
            if not scratch[n]:
                continue
            red, green, blue = 0, 0, 0
            for i in range(4):
                pixel = scratch[n + (i & 1) + 2 * (i & 2)] >> 8
                out[(y0 + y + (i >> 1)) * w + x0 + x + (i & 1)] = luma_of(pixel, colour)
                red += pixel & 255
                green += (pixel >> 8) & 255
                blue += (pixel >> 16) & 255
            block = w * h + ((y0 + y) >> 1) * (w >> 1) + ((x0 + x) >> 1)
            for c in range(1, 3):
                value = red * colour[c, 0] + green * colour[c, 1] + blue * colour[c, 2]
                out[block] = min((value + 4 * colour[c, 3]) >> 18, 255)
                block += (w * h) >> 2
