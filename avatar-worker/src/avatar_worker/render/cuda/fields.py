"""What the steps find where: positions in a row of `jobs` and of `drives`, and sizes of tables.

Plain numbers, because they are compiled into the steps. Places in `ints` and `floats` are counted
from the avatar's own `INTS` and `FLOATS`.
"""

from __future__ import annotations

from typing import Final

WIDTH: Final = 0
HEIGHT: Final = 1
VERTICES: Final = 2
SHAPES: Final = 3
TRIANGLES: Final = 4
ON_TOP: Final = 5
"""How many of the triangles, from the first, are the body's or an upper skin's."""

INTS: Final = 6
FLOATS: Final = 7
"""Where the avatar begins in `ints` and in `floats`."""

SKIN: Final = 8
PLATE: Final = 9
"""RGBA in a word. (H, W)."""

MASKS: Final = 10
"""Cover by the upper skin, and by the lower skin above 8 bits. (H, W)."""

SHEETS: Final = 11
"""Of every vertex: its sheet, and above `SHEET_BITS` bits which borders it lies on."""

SPANS: Final = 12
"""First and one past the last vertex that a shape moves in a sheet, and where in `DELTAS` its
displacement begins. (sheets, shapes, 3)."""

CORNERS: Final = 13
"""Three vertices and the slit, from 1, of every triangle; 0 is the body. (T, 4)."""

SLITS: Final = 14
"""First part, number of parts, rows that cast the shadow. (slits, 3)."""

PARTS: Final = 15
LIDS: Final = 16
"""Texture's place, width, height, and the texture plane's x and y of its first pixel. (n, 5)."""

LID_COUNT: Final = 17
"""How many of the lids show in this picture."""

COLOUR: Final = 18
"""Rows Y, U, V of red, green, blue, offset. (3, 4)."""

REST: Final = 19
"""Vertices at rest, which are texture coordinates. (V, 2)."""

DEPTHS: Final = 20
FOLLOWS: Final = 21
"""Depth from the pivot; how much the head is followed. (V,)."""

DELTAS: Final = 22
"""Displacements at weight 1, what does not move left out. (n, 2)."""

SHADOWS: Final = 23
"""How much light every slit's upper edge takes. (slits,)."""

DRIVE: Final = 24
PLACED: Final = 25
MAPS: Final = 26
OUT: Final = 27
"""Where this picture's part of `drives`, `placed`, `maps` and `out` begins."""

SHIFTS: Final = 28
WEIGHTS: Final = 29
"""Where in its drive the parts' travels (x, y) and the shapes' weights begin."""

JOB: Final = 32
"""Numbers in a row of `jobs`."""

POSE: Final = 11
"""A drive begins with the pose, from `VertexField.turned_by`; the shares of lids follow."""

SHEET_BITS: Final = 8
LEFT: Final = 1
TOP: Final = 2
RIGHT: Final = 4
BOTTOM: Final = 8
"""Borders of the picture that a vertex lies on."""

LANES: Final = 8
"""Threads that share a triangle, row by row."""

PLANES: Final = 3
"""Maps of a picture: the triangle on top, of the lower skin, and of what only follows the head."""
