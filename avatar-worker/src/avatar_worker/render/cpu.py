"""The renderer for any machine: a mesh raster on one core.

Body triangles are drawn straight into the picture, person over plate. Each slit is then drawn
over it through three maps (upper skin, lower skin, interior). Textures and geometry are prepared
once per avatar and shared by its sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose, VideoFrame

from . import kernels
from .colour import coefficients, pack_i420
from .planes import Opening, openings_of, planes_of
from .renderer import RenderSlot
from .shape_weights import Drive, Driver
from .vertices import Floats, Sheet, VertexField

_MARGIN: Final = 2
"""Triangles whose texture is clear this many pixels around are not drawn."""

_NOTHING: Final = np.zeros(0, np.uint32)
_NO_PLATE: Final = np.zeros((0, 0), np.uint32)


@dataclass(frozen=True, slots=True)
class _Slit:
    """A slit, ready to draw: its mesh in three sheets, its interior's textures and their places."""

    opening: Opening
    sheets: tuple[Sheet, Sheet, Sheet]
    tri: npt.NDArray[np.int32]
    uv: Floats
    parts: npt.NDArray[np.uint32]
    table: npt.NDArray[np.int64]


class _Prepared:
    """What all sessions of an avatar share. Immutable."""

    def __init__(self, avatar: Avatar) -> None:
        planes = planes_of(avatar)
        self.driver = Driver(avatar)
        self.field = VertexField(avatar)
        self.width, self.height = avatar.canvas.width, avatar.canvas.height
        self.plate = _packed(np.dstack([planes.plate, np.full_like(planes.plate[..., 0], 255)]))
        self.skin = _flat(_packed(planes.skin))
        self.mask_upper = _flat(planes.mask_upper)
        self.mask_lower = _flat(planes.mask_lower)
        self.colour = coefficients(avatar.canvas.matrix, avatar.canvas.range)
        sheets = {(s.mesh.name, s.layer): s for s in self.field.sheets}
        self.slits = tuple(
            _slit(opening, [sheets[opening.slit.mesh, layer] for layer in _LAYERS])
            for opening in openings_of(avatar)
        )
        self.body = next(s for s in self.field.sheets if s.layer == "skin")
        clear = planes.skin[..., 3] == 0
        self.body_uv = np.array(self.body.mesh.xy, np.float32)
        self.body_tri = _worth_drawing(self.body, clear, [s.sheets[0] for s in self.slits])


_LAYERS: Final = ("upper", "lower", "inner")


class CpuSlot:
    """One session's picture in the making. Bounded: one packed picture and its maps."""

    def __init__(self, avatar: Avatar, prepared: _Prepared) -> None:
        """Allocate the buffers that live as long as the session."""
        self._avatar = avatar
        self.prepared = prepared
        size = prepared.height * prepared.width
        self.canvas = np.empty((prepared.height, prepared.width), np.uint32)
        self.maps = np.empty(3 * size * 2, np.int32)
        self.cover = np.empty(size, np.int32)
        self.column = np.empty(prepared.width, np.int64)

    @property
    def avatar(self) -> Avatar:
        """The avatar that this slot draws."""
        return self._avatar


class CpuRenderer:
    """Draws with compiled loops. One thread at a time; the GIL is free while it draws."""

    def __init__(self) -> None:
        """Start without avatars."""
        self._prepared: WeakValueDictionary[tuple[str, int], _Prepared] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """`cpu`."""
        return "cpu"

    def open(self, avatar: Avatar) -> CpuSlot:
        """Prepare the avatar unless an open slot has it already."""
        # An avatar that was never written to a file has no content id; then it is its own.
        key = (avatar.content_id, 0) if avatar.content_id else ("", id(avatar))
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = _Prepared(avatar)
        slot = CpuSlot(avatar, prepared)
        # Compiles the loops, or reads them from disk, before a session waits for its picture.
        at_rest = np.zeros(len(CONTROL_NAMES), np.float32)
        _draw(slot, FaceControls(Ticks(0), at_rest, HeadPose()))
        return slot

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. Each frame owns its bytes.

        Raises:
            TypeError: If a slot is another renderer's.
        """
        frames = []
        for slot, controls in jobs:
            if not isinstance(slot, CpuSlot):
                raise TypeError("this slot belongs to another renderer")
            frames.append(_draw(slot, controls))
        return frames

    def close(self, slot: RenderSlot) -> None:
        """Give the slot back. Its buffers go with the last reference."""


def _draw(slot: CpuSlot, controls: FaceControls) -> VideoFrame:
    ready = slot.prepared
    drive = ready.driver.drive(controls)
    placed = ready.field.place(drive.weights, drive.head)
    height, width = ready.height, ready.width
    np.copyto(slot.canvas, ready.plate)
    kernels.draw_triangles(
        ready.body_tri,
        ready.body_uv,
        ready.field.of(placed, ready.body),
        0,
        0,
        slot.canvas[..., None],
        ready.skin,
        ready.plate,
        width,
        height,
    )
    for slit in ready.slits:
        _draw_slit(slot, slit, placed, drive)
    data = np.empty(height * width * 3 // 2, np.uint8)
    pack_i420(slot.canvas, ready.colour, data)
    return VideoFrame(pts=controls.pts, width=width, height=height, data=data)


def _draw_slit(slot: CpuSlot, slit: _Slit, placed: Floats, drive: Drive) -> None:
    ready = slot.prepared
    xy = ready.field.of(placed, slit.sheets[0])
    left, top = (max(int(np.ceil(v)), 0) for v in xy.min(axis=0))
    right, bottom = (int(np.floor(v)) + 1 for v in xy.max(axis=0))
    columns, rows = min(right, ready.width) - left, min(bottom, ready.height) - top
    if columns <= 0 or rows <= 0:
        return
    maps = slot.maps[: 3 * rows * columns * 2].reshape(3, rows, columns, 2)
    maps.fill(kernels.UNSEEN)
    for sheet, target in zip(slit.sheets, maps, strict=True):
        at = ready.field.of(placed, sheet)
        kernels.draw_triangles(
            slit.tri, slit.uv, at, left, top, target, _NOTHING, _NO_PLATE, ready.width, ready.height
        )
    table = slit.table.copy()
    for row, part in zip(table, slit.opening.parts, strict=True):
        row[3:] += np.rint(np.multiply(drive.shifts.get(part.role, (0.0, 0.0)), 65536)).astype(int)
    kernels.draw_slit(
        slot.canvas,
        ready.plate,
        left,
        top,
        maps[0],
        maps[1],
        maps[2],
        ready.skin,
        ready.mask_upper,
        ready.mask_lower,
        slit.parts,
        table,
        round(256 * slit.opening.shadow),
        slit.opening.reach,
        slot.cover[: rows * columns].reshape(rows, columns),
        slot.column,
    )


def _slit(opening: Opening, sheets: list[Sheet]) -> _Slit:
    """Lay the interior's textures one after the other."""
    textures, table, base = [], [], 0
    for part in opening.parts:
        flat = _flat(_packed(part.pixels))
        height, width = part.pixels.shape[:2]
        table.append((base, width, height, part.origin[0] << 16, part.origin[1] << 16))
        textures.append(flat)
        base += len(flat)
    upper, lower, inner = sheets
    return _Slit(
        opening=opening,
        sheets=(upper, lower, inner),
        tri=np.array(upper.mesh.tri, np.int32),
        uv=np.array(upper.mesh.xy, np.float32),
        parts=np.concatenate([*textures, _NOTHING]),
        table=np.array(table, np.int64).reshape(-1, 5),
    )


def _worth_drawing(
    body: Sheet, clear: npt.NDArray[np.bool_], slits: list[Sheet]
) -> npt.NDArray[np.int32]:
    """The body's triangles that show something and lie not wholly under a slit's own skin."""
    mesh = body.mesh
    height, width = clear.shape
    seen = np.zeros((height + 1, width + 1), np.int64)
    seen[1:, 1:] = np.cumsum(np.cumsum(~clear, axis=0), axis=1)
    corners = mesh.xy[mesh.tri]
    low, high = corners.min(axis=1), corners.max(axis=1)
    x0, y0 = np.clip(np.floor(low).astype(int) - _MARGIN, 0, (width, height)).T
    x1, y1 = np.clip(np.ceil(high).astype(int) + _MARGIN + 1, 0, (width, height)).T
    shows = seen[y1, x1] - seen[y0, x1] - seen[y1, x0] + seen[y0, x0] > 0
    hidden = np.zeros(len(mesh.tri), np.bool_)
    for sheet in slits:
        first, last = sheet.mesh.xy.min(axis=0), sheet.mesh.xy.max(axis=0)
        within = (low >= first + mesh.cell_px) & (high <= last - mesh.cell_px)
        hidden |= within.all(axis=1)
    return np.ascontiguousarray(mesh.tri[shows & ~hidden])


def _packed(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Four channels in one little-endian word. (h, w, 4) to (h, w)."""
    return np.ascontiguousarray(rgba).view("<u4")[..., 0]


def _flat(texture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat the last column and row, so that a sample's neighbour always exists; flatten."""
    return np.ascontiguousarray(np.pad(texture, ((0, 1), (0, 1)), mode="edge")).ravel()
