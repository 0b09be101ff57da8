"""First step: where every vertex lies on the screen; `VertexField.place` for one vertex."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fields import (
    BOTTOM,
    DELTAS,
    DEPTHS,
    DRIVE,
    FLOATS,
    FOLLOWS,
    HEIGHT,
    INTS,
    JOB,
    LEFT,
    MAPS,
    PLACED,
    REST,
    RIGHT,
    SHAPES,
    SHEET_BITS,
    SHEETS,
    SPANS,
    TOP,
    VERTICES,
    WEIGHTS,
    WIDTH,
)

Numbers = Any

ZERO, TENTH = np.float32(0), np.float32(0.1)
FARTHEST = np.float32(16_384)


def place(
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
    """Empty a pixel's maps; bend and turn a vertex as `VertexField.place` does.

    Args:
        item: A pixel, and a vertex. Beyond the last of both nothing happens.
        row: Which picture of the batch.
        ints: As in `steps`, like all that follow.
        floats: Geometry.
        jobs: What to draw.
        drives: Poses and weights.
        placed: Filled.
        maps: Emptied.
        out: Not used.
    """
    job = JOB * row
    pixels = jobs[job + WIDTH] * jobs[job + HEIGHT]
    if item < pixels:
        at = jobs[job + MAPS] + item
        maps[at] = 0
        maps[at + pixels] = 0
        maps[at + 2 * pixels] = 0
    if item >= jobs[job + VERTICES]:
        return
    words, numbers, drive = jobs[job + INTS], jobs[job + FLOATS], jobs[job + DRIVE]
    rest = numbers + jobs[job + REST] + 2 * item
    x, y = floats[rest], floats[rest + 1]
    mark = ints[words + jobs[job + SHEETS] + item]
    sheet, borders = mark & ((1 << SHEET_BITS) - 1), mark >> SHEET_BITS
    shapes = jobs[job + SHAPES]
    span = words + jobs[job + SPANS] + 3 * sheet * shapes
    first = drive + jobs[job + WEIGHTS]
    for k in range(shapes):
        weight = drives[first + k]
        if weight != ZERO and ints[span + 3 * k] <= item < ints[span + 3 * k + 1]:
            by = numbers + jobs[job + DELTAS] + 2 * (ints[span + 3 * k + 2] + item)
            by -= 2 * ints[span + 3 * k]
            x += weight * floats[by]
            y += weight * floats[by + 1]
    cy, sy, cp, sp = drives[drive], drives[drive + 1], drives[drive + 2], drives[drive + 3]
    cr, sr, focal = drives[drive + 4], drives[drive + 5], drives[drive + 8]
    dx, dy = x - drives[drive + 6], y - drives[drive + 7]
    away = floats[numbers + jobs[job + DEPTHS] + item]
    follow = floats[numbers + jobs[job + FOLLOWS] + item]
    x1, z1 = cy * dx - sy * away, sy * dx + cy * away
    y1, z2 = cp * dy - sp * z1, sp * dy + cp * z1
    near = focal / max(focal + z2 - away, TENTH * focal)
    x += follow * ((cr * x1 - sr * y1) * near + drives[drive + 9] - dx)
    y += follow * ((sr * x1 + cr * y1) * near + drives[drive + 10] - dy)
    x, y = min(max(x, -FARTHEST), FARTHEST), min(max(y, -FARTHEST), FARTHEST)
    if borders & LEFT:
        x = min(x, ZERO)
    if borders & TOP:
        y = min(y, ZERO)
    if borders & RIGHT:
        x = max(x, np.float32(jobs[job + WIDTH] - 1))
    if borders & BOTTOM:
        y = max(y, np.float32(jobs[job + HEIGHT] - 1))
    to = jobs[job + PLACED] + 2 * item
    placed[to], placed[to + 1] = x, y
