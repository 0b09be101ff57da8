"""Last step: what covers what, and the picture's I420; `reference.draw` for one pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fields import (
    COLOUR,
    CORNERS,
    DRIVE,
    FLOATS,
    HEIGHT,
    INTS,
    JOB,
    MAPS,
    OUT,
    PARTS,
    PLATE,
    SHADOWS,
    SHIFTS,
    SLITS,
    WIDTH,
)
from .textures import channel, mask_at, mix, part_at, skin_at, source

Numbers = Any

ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)


def shade(
    item: int,
    row: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    drives: Numbers,
    placed: Numbers,
    maps: Numbers,
    out: Numbers,
) -> None:
    """Write the four luma samples and the two chroma samples of a block of 2 x 2 pixels.

    Args:
        item: The block, row by row.
        row: Which picture of the batch.
        ints: As in `steps`, like all that follow.
        floats: Geometry.
        jobs: What to draw.
        drives: Shares of lids and travels of parts.
        placed: Vertices on the screen.
        maps: Which triangle lies where.
        out: Filled.
    """
    job = JOB * row
    wide, high = jobs[job + WIDTH], jobs[job + HEIGHT]
    across = wide >> 1
    if item >= across * (high >> 1):
        return
    y, x = item // across, item % across
    table = jobs[job + INTS] + jobs[job + COLOUR]
    start = jobs[job + OUT]
    red, green, blue = 0, 0, 0
    for n in range(4):
        px, py = 2 * x + (n & 1), 2 * y + (n >> 1)
        r, g, b = colour_at(px, py, job, ints, floats, jobs, drives, placed, maps)
        luma = r * ints[table] + g * ints[table + 1] + b * ints[table + 2] + ints[table + 3]
        out[start + py * wide + px] = luma >> 16
        red, green, blue = red + r, green + g, blue + b
    chroma = start + wide * high + item
    for n in range(1, 3):
        at = table + 4 * n
        value = red * ints[at] + green * ints[at + 1] + blue * ints[at + 2] + 4 * ints[at + 3]
        out[chroma] = min(value >> 18, 255)
        chroma += (wide * high) >> 2


def colour_at(
    x: int,
    y: int,
    job: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    drives: Numbers,
    placed: Numbers,
    maps: Numbers,
) -> tuple[int, int, int]:
    """Return a pixel's red, green and blue, 0..255, the person laid over the plate.

    Args:
        x: Column.
        y: Row.
        job: Where the picture's row begins in `jobs`.
        ints: As in `steps`, like all that follow.
        floats: Geometry.
        jobs: What to draw.
        drives: Shares of lids and travels of parts.
        placed: Vertices on the screen.
        maps: Which triangle lies where.
    """
    wide = jobs[job + WIDTH]
    words = jobs[job + INTS]
    at = jobs[job + MAPS] + y * wide + x
    plate = ints[words + jobs[job + PLATE] + y * wide + x]
    on_top = maps[at]
    if on_top == 0:
        return plate & 255, (plate >> 8) & 255, (plate >> 16) & 255
    u, v = source(on_top - 1, x, y, job, ints, floats, jobs, placed)
    r, g, b, a = skin_at(u, v, job, ints, jobs, drives)
    slit = ints[words + jobs[job + CORNERS] + 4 * (on_top - 1) + 3]
    if slit > 0:
        cover = cover_at(x, y, slit, job, ints, floats, jobs, placed, maps)
        if cover < ONE:
            under = behind(x, y, slit, job, ints, floats, jobs, drives, placed, maps)
            r, g = mix(under[0], r, cover), mix(under[1], g, cover)
            b = mix(under[2], b, cover)
    return (
        int(mix(channel(plate, 0), r, a) + HALF),
        int(mix(channel(plate, 8), g, a) + HALF),
        int(mix(channel(plate, 16), b, a) + HALF),
    )


def behind(
    x: int,
    y: int,
    slit: int,
    job: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    drives: Numbers,
    placed: Numbers,
    maps: Numbers,
) -> tuple[Any, Any, Any]:
    """Colour of the lower skin over the interior, where the upper skin lets it through."""
    wide = jobs[job + WIDTH]
    pixels = wide * jobs[job + HEIGHT]
    at = jobs[job + MAPS] + y * wide + x
    u, v = source(maps[at + pixels] - 1, x, y, job, ints, floats, jobs, placed)
    cover = ONE
    if maps[at + 2 * pixels] > 0:
        cover = mask_at(u, v, 8, job, ints, jobs)
    red, green, blue, _ = skin_at(u, v, job, ints, jobs, drives)
    if cover < ONE:
        u, v = source(maps[at + 2 * pixels] - 1, x, y, job, ints, floats, jobs, placed)
        r, g, b = interior_at(u, v, slit, job, ints, jobs, drives)
        light = light_at(x, y, slit, job, ints, floats, jobs, placed, maps)
        red, green = mix(r * light, red, cover), mix(g * light, green, cover)
        blue = mix(b * light, blue, cover)
    return red, green, blue


def interior_at(
    u: Any, v: Any, slit: int, job: int, ints: Numbers, jobs: Numbers, drives: Numbers
) -> tuple[Any, Any, Any]:
    """Colour of a slit's parts over each other, back to front, before any shadow."""
    words = jobs[job + INTS]
    opening = words + jobs[job + SLITS] + 3 * (slit - 1)
    first, count = ints[opening], ints[opening + 1]
    red, green, blue = ZERO, ZERO, ZERO
    for n in range(first, first + count):
        part = words + jobs[job + PARTS] + 5 * n
        shift = jobs[job + DRIVE] + jobs[job + SHIFTS] + 2 * n
        r, g, b, a = part_at(
            words + ints[part],
            ints[part + 1],
            ints[part + 2],
            u - drives[shift] - np.float32(ints[part + 3]),
            v - drives[shift + 1] - np.float32(ints[part + 4]),
            ints,
        )
        red, green, blue = mix(red, r, a), mix(green, g, a), mix(blue, b, a)
    return red, green, blue


def light_at(
    x: int,
    y: int,
    slit: int,
    job: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    placed: Numbers,
    maps: Numbers,
) -> Any:
    """Light that the upper edge leaves: less, the more it covers of the rows above."""
    reach = ints[jobs[job + INTS] + jobs[job + SLITS] + 3 * (slit - 1) + 2]
    above = ZERO
    for n in range(1, reach + 1):
        cover = ONE
        if y >= n:
            cover = cover_at(x, y - n, slit, job, ints, floats, jobs, placed, maps)
        above += cover
    shadow = floats[jobs[job + FLOATS] + jobs[job + SHADOWS] + slit - 1]
    return ONE - shadow * above / np.float32(reach)


def cover_at(
    x: int,
    y: int,
    slit: int,
    job: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    placed: Numbers,
    maps: Numbers,
) -> Any:
    """How much the upper skin of a slit covers, 0..1: all of it where the skins do not part."""
    wide = jobs[job + WIDTH]
    at = jobs[job + MAPS] + y * wide + x
    on_top = maps[at]
    if on_top == 0 or maps[at + wide * jobs[job + HEIGHT]] == 0:
        return ONE
    if ints[jobs[job + INTS] + jobs[job + CORNERS] + 4 * (on_top - 1) + 3] != slit:
        return ONE
    u, v = source(on_top - 1, x, y, job, ints, floats, jobs, placed)
    return mask_at(u, v, 0, job, ints, jobs)
