"""Second and third step: which triangle lies over every pixel.

The map of what is on top is traced first; then lower and inner skins, each only where its own slit
is on top. A map keeps the last triangle of those that lie over a pixel, in whatever order they come.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .fields import (
    CORNERS,
    HEIGHT,
    INTS,
    JOB,
    LANES,
    MAPS,
    ON_TOP,
    PLACED,
    TRIANGLES,
    WIDTH,
)

Numbers = Any

ZERO = np.float32(0)
EDGE = np.float32(1e-4)
SMALLEST_AREA = np.float32(1e-6)


def raise_to(maps: Numbers, at: int, value: int) -> None:
    """Keep the larger number. On a GPU many do so at once: there it is one atomic step."""
    if value > maps[at]:
        maps[at] = value


def trace(
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
    """Note some rows of one triangle of the body or of an upper skin.

    Args:
        item: Lane `item % LANES` of triangle `item // LANES`. A later triangle covers an earlier
            one whatever the order in which they are traced.
        row: Which picture of the batch.
        ints: As in `steps`, like all that follow.
        floats: Geometry.
        jobs: What to draw.
        drives: Not used.
        placed: Vertices on the screen.
        maps: The first is filled.
        out: Not used.
    """
    if item // LANES < jobs[JOB * row + ON_TOP]:
        trace_rows(item // LANES, item % LANES, JOB * row, 0, ints, jobs, placed, maps)


def trace_under(
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
    """Note some rows of one triangle of a lower or an inner skin, where its slit is on top.

    Args:
        item: As in `trace`, counted from the first triangle that is not on top; lower and inner
            skins take turns, slit by slit.
        row: Which picture of the batch.
        ints: As in `steps`, like all that follow.
        floats: Geometry.
        jobs: What to draw.
        drives: Not used.
        placed: Vertices on the screen.
        maps: The first is read, the others are filled.
        out: Not used.
    """
    job = JOB * row
    triangle = jobs[job + ON_TOP] + item // LANES
    if triangle < jobs[job + TRIANGLES]:
        corner = jobs[job + INTS] + jobs[job + CORNERS] + 4 * triangle
        plane = 2 if ints[corner + 3] < 0 else 1
        trace_rows(triangle, item % LANES, job, plane, ints, jobs, placed, maps)


def trace_rows(
    triangle: int,
    lane: int,
    job: int,
    plane: int,
    ints: Numbers,
    jobs: Numbers,
    placed: Numbers,
    maps: Numbers,
) -> None:
    """Note every `LANES`th row of a triangle in a map; under the top one only in its own slit."""
    corners = jobs[job + INTS] + jobs[job + CORNERS]
    corner = corners + 4 * triangle
    base = jobs[job + PLACED]
    a, b, c = base + 2 * ints[corner], base + 2 * ints[corner + 1], base + 2 * ints[corner + 2]
    ax, ay = placed[a], placed[a + 1]
    bx, by = placed[b] - ax, placed[b + 1] - ay
    cx, cy = placed[c] - ax, placed[c + 1] - ay
    area = bx * cy - by * cx
    if not area > SMALLEST_AREA:
        return
    wide, high = jobs[job + WIDTH], jobs[job + HEIGHT]
    low_x, high_x = min(ZERO, bx, cx) + ax - EDGE, max(ZERO, bx, cx) + ax + EDGE
    low_y, high_y = min(ZERO, by, cy) + ay - EDGE, max(ZERO, by, cy) + ay + EDGE
    last_x, last_y = np.float32(wide - 1), np.float32(high - 1)
    if not (high_x >= ZERO and high_y >= ZERO and low_x <= last_x and low_y <= last_y):
        return
    slack = EDGE * max(high_x - low_x, high_y - low_y)
    left, right = int(max(low_x, ZERO)), int(min(high_x, last_x))
    top, bottom = int(max(low_y, ZERO)), int(min(high_y, last_y))
    slit = abs(ints[corner + 3])
    first = jobs[job + MAPS]
    for y in range(top + lane, bottom + 1, LANES):
        py = np.float32(y) - ay
        for x in range(left, right + 1):
            px = np.float32(x) - ax
            of_b, of_c = px * cy - py * cx, bx * py - by * px
            if of_b >= -slack and of_c >= -slack and of_b + of_c <= area + slack:
                at = first + y * wide + x
                if plane == 0:
                    raise_to(maps, at, triangle + 1)
                elif maps[at] > 0 and ints[corners + 4 * (maps[at] - 1) + 3] == slit:
                    raise_to(maps, at + plane * wide * high, triangle + 1)
