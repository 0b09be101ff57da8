"""The textures behind a slit as lines are sampled from them: one after the other, described by a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .nodes import PAD
from .planes import Opening, Part
from .textures import flat, pack_skin, packed, taps_of

Packed = npt.NDArray[np.uint32]
Textures = tuple[Packed, Packed, Packed]
"""Luma, chroma and alpha, flat, each entry with its neighbours."""


def interior_of(
    opening: Opening, colour: npt.NDArray[np.int32]
) -> tuple[Textures, npt.NDArray[np.int64]]:
    """Pack what a slit opens on.

    Args:
        opening: The slit's interior.
        colour: From `colour.coefficients`.

    Returns:
        Its textures, and of every one its base in them, width, height, the fixed-point place of its
        first pixel (x, y) on the texture plane, and 1 if it is opaque. int64, (parts, 6).
    """
    table: list[tuple[int, ...]] = []
    packs: list[Textures] = []
    base = 0
    for part in map(cropped, opening.parts):
        pack = _pack(part, colour)
        height, width = part.pixels.shape[:2]
        x, y = part.origin
        opaque = bool((part.pixels[..., 3] == 255).all())
        table.append((base, width, height, x << 16, y << 16, opaque))
        packs.append(pack)
        base += len(pack[0])
    nothing = np.zeros(0, np.uint32)
    luma, chroma, alpha = (np.concatenate([nothing, *(p[i] for p in packs)]) for i in range(3))
    return (luma, chroma, alpha), np.array(table, np.int64).reshape(-1, 6)


def cropped(part: Part) -> Part:
    """Leave out what is clear at a part's edges, but for one line of clear pixels on every side."""
    seen = part.pixels[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        return Part(part.role, part.origin, part.pixels[:1, :1])
    left, top = max(int(columns[0]) - 1, 0), max(int(rows[0]) - 1, 0)
    pixels = part.pixels[top : rows[-1] + 2, left : columns[-1] + 2]
    return Part(part.role, (part.origin[0] + left, part.origin[1] + top), pixels)


def _pack(part: Part, colour: npt.NDArray[np.int32]) -> Textures:
    """Pack one texture. The arrays are as long as the longest of them, which is chroma."""
    height, width = part.pixels.shape[:2]
    stride = width + 2 * PAD
    luma, chroma, alpha = (np.zeros((height + 2 * PAD + 1) * stride, np.uint32) for _ in range(3))
    box = (0, 0, width, height)
    pack_skin(flat(packed(part.pixels)), colour, width, height, box, luma, chroma)
    taps = taps_of(np.ascontiguousarray(part.pixels[..., 3]))
    alpha[: len(taps)] = taps
    return luma, chroma, alpha
