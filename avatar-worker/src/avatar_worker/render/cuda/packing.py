"""An avatar as the steps read it: two flat arrays and the numbers that say what lies where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.render.colour import coefficients
from avatar_worker.render.planes import Opening, Part, Pixels, Planes, openings_of, planes_of
from avatar_worker.render.vertices import Sheet, VertexField

from . import fields

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Packed:
    """An avatar, packed.

    Attributes:
        ints: Textures and tables. int32.
        floats: Geometry. float32.
        job: A row of `jobs` for a picture of it, but for what depends on the picture. int32.
        lids: Roles of lids, in their order in a drive.
        parts: Roles of the slits' parts, in their order in a drive.
        sizes: How many numbers a picture takes in each of the workspace's buffers.
        items: How many threads each step needs for a picture.
    """

    ints: Ints
    floats: Floats
    job: Ints
    lids: tuple[str, ...]
    parts: tuple[str, ...]
    sizes: Mapping[str, int]
    items: Mapping[str, int]


class _Pile:
    """Arrays laid one after the other."""

    def __init__(self, kind: type[np.int32] | type[np.float32]) -> None:
        self._kind = kind
        self._parts: list[npt.NDArray[Any]] = []
        self.size = 0

    def add(self, numbers: npt.ArrayLike) -> int:
        """Lay an array on top and say where it begins."""
        flat = np.ascontiguousarray(numbers, self._kind).ravel()
        self._parts.append(flat)
        self.size += len(flat)
        return self.size - len(flat)

    def whole(self) -> npt.NDArray[Any]:
        return np.concatenate([np.zeros(0, self._kind), *self._parts])


def pack(avatar: Avatar, field: VertexField) -> Packed:
    """Pack an avatar; tens of milliseconds.

    Args:
        avatar: The avatar.
        field: Its vertices.
    """
    planes, openings = planes_of(avatar), openings_of(avatar)
    ints, floats = _Pile(np.int32), _Pile(np.float32)
    job = np.zeros(fields.JOB, np.int32)
    lids = tuple(planes.lids.values())
    parts = [part for opening in openings for part in opening.parts]

    job[fields.WIDTH], job[fields.HEIGHT] = avatar.canvas.width, avatar.canvas.height
    job[fields.VERTICES], job[fields.SHAPES] = len(field.rest), len(field.delta)
    _add_planes(job, ints, planes)
    job[fields.COLOUR] = ints.add(coefficients(avatar.canvas.matrix, avatar.canvas.range))
    job[fields.LIDS] = ints.add(_textures(ints, lids))
    job[fields.PARTS] = ints.add(_textures(ints, parts))
    job[fields.SLITS] = ints.add(_slits(openings))
    job[fields.SHADOWS] = floats.add([opening.shadow for opening in openings])
    _add_vertices(job, ints, floats, field)
    _add_triangles(job, ints, field, openings)
    job[fields.SHIFTS] = fields.POSE + len(lids)
    job[fields.WEIGHTS] = job[fields.SHIFTS] + 2 * len(parts)
    return Packed(
        ints=ints.whole(),
        floats=floats.whole(),
        job=job,
        lids=tuple(lid.role for lid in lids),
        parts=tuple(part.role for part in parts),
        sizes=_sizes(job),
        items=_items(job),
    )


def _sizes(job: Ints) -> dict[str, int]:
    pixels = int(job[fields.WIDTH]) * int(job[fields.HEIGHT])
    return {
        "jobs": fields.JOB,
        "drives": int(job[fields.WEIGHTS] + job[fields.SHAPES]),
        "placed": 2 * int(job[fields.VERTICES]),
        "maps": fields.PLANES * pixels,
        "out": 3 * pixels // 2,
    }


def _items(job: Ints) -> dict[str, int]:
    pixels = int(job[fields.WIDTH]) * int(job[fields.HEIGHT])
    on_top, under = int(job[fields.ON_TOP]), int(job[fields.TRIANGLES] - job[fields.ON_TOP])
    return {
        "place": max(pixels, int(job[fields.VERTICES])),
        "trace": fields.LANES * on_top,
        "trace_under": fields.LANES * under,
        "shade": pixels // 4,
    }


def _add_planes(job: Ints, ints: _Pile, planes: Planes) -> None:
    opaque = np.full_like(planes.plate[..., :1], 255)
    job[fields.PLATE] = ints.add(_words(np.concatenate([planes.plate, opaque], axis=2)))
    job[fields.SKIN] = ints.add(_words(planes.skin))
    masks = planes.mask_upper.astype(np.int32) | (planes.mask_lower.astype(np.int32) << 8)
    job[fields.MASKS] = ints.add(masks)


def _words(rgba: Pixels) -> Ints:
    """Four channels in one little-endian word. (h, w, 4) to (h, w)."""
    return np.ascontiguousarray(rgba).view("<i4")[..., 0]


def _textures(ints: _Pile, parts: tuple[Part, ...] | list[Part]) -> npt.NDArray[np.int64]:
    """Lay textures down and return their table. (n, 5)."""
    rows = [
        (ints.add(_words(p.pixels)), p.pixels.shape[1], p.pixels.shape[0], *p.origin) for p in parts
    ]
    return np.array(rows, np.int64).reshape(-1, 5)


def _slits(openings: tuple[Opening, ...]) -> npt.NDArray[np.int64]:
    counts = [len(opening.parts) for opening in openings]
    firsts = np.cumsum([0, *counts])[:-1]
    rows = [
        (first, count, opening.reach)
        for first, count, opening in zip(firsts, counts, openings, strict=True)
    ]
    return np.array(rows, np.int64).reshape(-1, 3)


def _add_vertices(job: Ints, ints: _Pile, floats: _Pile, field: VertexField) -> None:
    job[fields.REST] = floats.add(field.rest)
    job[fields.DEPTHS] = floats.add(field.z)
    job[fields.FOLLOWS] = floats.add(field.follow)
    sheets = np.zeros(len(field.rest), np.int32)
    for i, sheet in enumerate(field.sheets):
        sheets[sheet.start : sheet.stop] = i
    borders = (fields.LEFT, fields.TOP, fields.RIGHT, fields.BOTTOM)
    for edge, border in zip(field.edges, borders, strict=True):
        sheets[edge] |= border << fields.SHEET_BITS
    job[fields.SHEETS] = ints.add(sheets)
    moves = field.delta.reshape(len(field.delta), -1, 2)
    spans, kept, count = [], [], 0
    for sheet in field.sheets:
        for move in moves:
            moved = np.flatnonzero(move[sheet.start : sheet.stop].any(axis=1))
            start, stop = (moved[0], moved[-1] + 1) if len(moved) else (0, 0)
            spans.append((sheet.start + start, sheet.start + stop, count))
            kept.append(move[sheet.start + start : sheet.start + stop].ravel())
            count += stop - start
    job[fields.SPANS] = ints.add(np.array(spans, np.int64))
    job[fields.DELTAS] = floats.add(np.concatenate(kept))


def _add_triangles(
    job: Ints, ints: _Pile, field: VertexField, openings: tuple[Opening, ...]
) -> None:
    """Body, then upper skins, slit by slit; then lower and inner skins, the latter marked by -."""
    sheets = {(sheet.mesh.name, sheet.layer): sheet for sheet in field.sheets}
    body = next(sheet for sheet in field.sheets if sheet.layer == "skin")
    on_top, under = [_corners(body, 0)], [np.zeros((0, 4), np.int32)]
    for slit, opening in enumerate(openings, start=1):
        mesh = opening.slit.mesh
        on_top.append(_corners(sheets[mesh, "upper"], slit))
        under.append(_corners(sheets[mesh, "lower"], slit))
        under.append(_corners(sheets[mesh, "inner"], -slit))
    above, all_of_them = np.concatenate(on_top), np.concatenate([*on_top, *under])
    job[fields.CORNERS] = ints.add(all_of_them)
    job[fields.ON_TOP], job[fields.TRIANGLES] = len(above), len(all_of_them)


def _corners(sheet: Sheet, slit: int) -> Ints:
    tri = sheet.mesh.tri.astype(np.int32) + sheet.start
    return np.concatenate([tri, np.full((len(tri), 1), slit, np.int32)], axis=1)
