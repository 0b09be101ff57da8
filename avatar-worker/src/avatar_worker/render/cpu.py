"""The renderer for any machine: a mesh raster on one core.

Skin is drawn straight into the picture, person over plate, wherever nothing can show through it.
The rest of each slit is drawn through maps (upper skin, lower skin, interior) that are only as
large as the opening. Textures and geometry are prepared once per avatar and shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose, VideoFrame

from . import raster, slits
from .colour import pack_i420
from .lids import lay_lid
from .prepared import Packed, Prepared, ReadySlit
from .renderer import RenderSlot
from .shape_weights import Drive
from .vertices import Floats


class CpuSlot:
    """One session's picture in the making. Bounded: a packed picture and maps of its size."""

    def __init__(self, avatar: Avatar, prepared: Prepared) -> None:
        """Allocate the buffers that live as long as the session."""
        self._avatar = avatar
        self.prepared = prepared
        size = prepared.height * prepared.width
        self.canvas = np.empty((prepared.height, prepared.width), np.uint32)
        self.maps = np.empty((3, 2 * size), np.int32)
        self.covers = np.empty((2, size), np.int32)
        self.column = np.empty(prepared.width, np.int64)
        self._skin = prepared.skin.copy() if prepared.lids else prepared.skin

    @property
    def avatar(self) -> Avatar:
        """The avatar that this slot draws."""
        return self._avatar

    def skin(self, drive: Drive) -> Packed:
        """Return the person's texture with closing lids laid over it; valid until asked again."""
        shares = [round(256 * drive.lids.get(lid.role, 0.0)) for lid in self.prepared.lids]
        if not any(shares):
            return self.prepared.skin
        for lid, share in zip(self.prepared.lids, shares, strict=True):
            x, y = lid.origin
            lay_lid(
                self._skin, self.prepared.skin, self.prepared.width + 1, x, y, lid.pixels, share
            )
        return self._skin

    def fresh_map(self, which: int, rows: int, columns: int) -> npt.NDArray[np.int32]:
        """Return one of three maps, empty. int32, (rows, columns, 2)."""
        taken = self.maps[which, : 2 * rows * columns].reshape(rows, columns, 2)
        taken.fill(raster.UNSEEN)
        return taken

    def cover(self, which: int, rows: int, columns: int) -> npt.NDArray[np.int32]:
        """Return one of two covers with stale content. int32, (rows, columns)."""
        return self.covers[which, : rows * columns].reshape(rows, columns)


class CpuRenderer:
    """Draws with compiled loops. One thread at a time; the GIL is free while it draws."""

    def __init__(self) -> None:
        """Start without avatars."""
        self._prepared: WeakValueDictionary[tuple[str, int], Prepared] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """`cpu`."""
        return "cpu"

    def open(self, avatar: Avatar) -> CpuSlot:
        """Prepare the avatar, unless an open slot has it already, and draw it once unseen.

        The unseen picture compiles the loops, or reads them from disk, before a session waits.
        """
        # An avatar that was never written to a file has no content id; then it is its own.
        key = (avatar.content_id, 0 if avatar.content_id else id(avatar))
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = Prepared(avatar)
        slot = CpuSlot(avatar, prepared)
        ajar = np.full(len(CONTROL_NAMES), 0.2, np.float32)
        _draw(slot, FaceControls(Ticks(0), ajar, HeadPose()))
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
    np.copyto(slot.canvas, ready.plate)
    skin = slot.skin(drive)
    raster.draw_skin(ready.whole, ready.uv, placed, slot.canvas, skin, ready.plate)
    for slit in ready.slits:
        _draw_slit(slot, slit, placed, drive, skin)
    data = np.empty(ready.height * ready.width * 3 // 2, np.uint8)
    pack_i420(slot.canvas, ready.colour, data)
    return VideoFrame(pts=controls.pts, width=ready.width, height=ready.height, data=data)


def _draw_slit(slot: CpuSlot, slit: ReadySlit, placed: Floats, drive: Drive, skin: Packed) -> None:
    ready = slot.prepared
    if not len(slit.corners):
        return
    xy = placed[slit.corners]
    x0, y0 = (max(int(np.ceil(v)), 0) for v in xy.min(axis=0))
    last_x, last_y = (int(np.floor(v)) for v in xy.max(axis=0))
    columns, rows = min(last_x + 1, ready.width) - x0, min(last_y + 1, ready.height) - y0
    if columns <= 0 or rows <= 0:
        return
    upper, over = slot.fresh_map(0, rows, columns), slot.cover(0, rows, columns)
    raster.draw_map(slit.upper, ready.uv, placed, x0, y0, upper)
    left, top, right, bottom = slits.draw_upper(
        slot.canvas, ready.plate, x0, y0, upper, skin, ready.mask_upper, over
    )
    columns, rows = right - left, bottom - top
    if columns <= 0 or rows <= 0:
        return
    lower, under = slot.fresh_map(1, rows, columns), slot.cover(1, rows, columns)
    raster.draw_map(slit.lower, ready.uv, placed, x0 + left, y0 + top, lower)
    inner = slot.fresh_map(2, rows, columns)
    first, stop = slits.cover_lower(lower, ready.mask_lower, ready.width, ready.height, under)
    if first < stop:
        raster.draw_map(
            slit.inner, ready.uv, placed, x0 + left, y0 + top + first, inner[first:stop]
        )
    table = slit.table.copy()
    for row, part in zip(table, slit.opening.parts, strict=True):
        row[3:] += np.rint(np.multiply(drive.shifts.get(part.role, (0.0, 0.0)), 65536)).astype(int)
    slits.draw_slit(
        slot.canvas,
        ready.plate,
        (x0, y0, left, top),
        (upper, lower, inner),
        (over, under),
        skin,
        slit.parts,
        table,
        round(256 * slit.opening.shadow),
        slit.opening.reach,
        slot.column,
        slit.solid,
    )
