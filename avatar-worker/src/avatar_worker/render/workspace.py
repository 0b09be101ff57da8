"""Buffers that pictures of one avatar are made in, one after the other, for all its sessions.

Nothing in them outlives a picture but painted lids and folds, painted anew when they differ: a
picture depends on its controls alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import cells, nodes, planar, slits
from .lids import lay_lid
from .placing import Placer
from .planes import Part
from .prepared import Prepared, ReadyMesh, ReadySlit, Skin
from .rows import ASK_ALL, walk
from .shape_weights import Drive
from .vertices import Floats
from .walk import NO_GRID

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


class Workspace:
    """Draws one avatar. One thread at a time."""

    def __init__(self, prepared: Prepared) -> None:
        """Allocate every buffer but those of painted lids."""
        self.prepared = prepared
        width, height = prepared.width, prepared.height
        self._placer = Placer(prepared.field)
        self._coarse = nodes.coarse_nodes(width, height)
        self._fine = nodes.fine_nodes(width, height)
        self._lower = [np.empty_like(self._fine) for _ in prepared.slits]
        self._owner = np.empty(self._fine.shape[1:], np.uint8)
        self._kinds = np.empty((-(-height // 8), -(-width // 8)), np.uint8)
        self._exact = np.empty_like(self._kinds)
        self._inner = np.empty_like(self._fine)
        self._scratch = np.empty((2, self._kinds.size * 64), np.int32)
        self._painted: Skin | None = None
        self._shares = (0,) * len(prepared.lids)
        self._groups = overlapping([box_of(lid) for lid in prepared.lids])

    def draw(self, drive: Drive) -> planar.Pixels:
        """Draw a picture. I420, uint8, (W * H * 3 // 2,); the caller's own."""
        ready = self.prepared
        placed = self._placer.place(drive.weights, drive.head)
        skin = self._skin(drive)
        out = ready.background.copy()
        boxes = self._trace(placed)
        cells.person_cells(self._fine, ready.covers[0], ready.width, ready.height, self._kinds)
        self._exact.fill(0)
        parted = [
            self._part(i, slit, box, placed)
            for i, (slit, box) in enumerate(zip(ready.slits, boxes, strict=True))
        ]
        self._draw_skin(self._fine, 0, (0, len(self._kinds)), skin, out)
        for i, (found, box) in enumerate(zip(parted, boxes, strict=True)):
            if found[4]:
                rows = box[1] // 2, min(box[3] // 2 + 1, len(self._kinds))
                self._draw_skin(self._lower[i], 1 + i, rows, skin, out)
        for i, (slit, found) in enumerate(zip(ready.slits, parted, strict=True)):
            if found[0] < found[2]:
                self._draw_slit(i, slit, found[:4], placed, drive, skin, out)
        return out

    def _trace(self, placed: Floats) -> list[Box]:
        """Fill in the nodes. Return those of every slit's upper skin."""
        ready = self.prepared
        last_x, last_y = ready.width - 1, ready.height - 1
        coarse, fine = self._coarse, self._fine
        coarse.fill(nodes.UNSEEN)
        self._trace_mesh(ready.body, placed, nodes.COARSE, coarse, 0)
        nodes.extend(coarse, last_x, last_y)
        nodes.refine(coarse, fine)
        self._owner.fill(0)
        return [
            self._trace_mesh(slit.upper, placed, nodes.STEP, fine, 1 + i)
            for i, slit in enumerate(ready.slits)
        ]

    def _trace_mesh(
        self, mesh: ReadyMesh, placed: Floats, step: int, at: nodes.Nodes, tag: int
    ) -> Box:
        ready = self.prepared
        size = ready.width - 1, ready.height - 1
        owner = self._owner
        if mesh.grid is not None:
            away = ASK_ALL if tag else ready.away
            return walk(mesh.grid, placed, step, *size, at, owner, tag, away)
        nodes.trace(mesh.tri, ready.uv, placed, step, *size, at, owner, tag)
        return 0, 0, at.shape[2], at.shape[1]

    def _part(
        self, i: int, slit: ReadySlit, box: Box, placed: Floats
    ) -> tuple[int, int, int, int, int]:
        """Find the cells where a slit's skins part, and how many show the lower skin alone."""
        ready = self.prepared
        grid = NO_GRID if slit.lower.grid is None else slit.lower.grid
        if slit.lower.grid is None:
            self._lower[i].fill(nodes.UNSEEN)
            owner = self._owner.copy()
            self._trace_mesh(slit.lower, placed, nodes.STEP, self._lower[i], 1 + i)
            self._owner[:] = owner
        return cells.slit_cells(
            box,
            1 + i,
            self._owner,
            self._fine,
            grid,
            placed,
            ready.covers,
            ready.width,
            ready.height,
            self._lower[i],
            self._kinds,
            self._exact,
        )

    def _draw_skin(
        self, at: nodes.Nodes, sheet: int, rows: tuple[int, int], skin: Skin, out: planar.Pixels
    ) -> None:
        ready = self.prepared
        planar.draw_person(
            at,
            sheet,
            rows,
            (skin.luma, skin.chroma, ready.alpha),
            ready.width,
            ready.height,
            ready.background,
            self._kinds,
            out,
        )

    def _draw_slit(
        self,
        i: int,
        slit: ReadySlit,
        box: Box,
        placed: Floats,
        drive: Drive,
        skin: Skin,
        out: planar.Pixels,
    ) -> None:
        ready = self.prepared
        table = slit.table.copy()
        for row, part in enumerate(slit.opening.parts):
            x, y = drive.shifts.get(part.role, (0.0, 0.0))
            if x or y:
                table[row, 3] += round(x * 65536)
                table[row, 4] += round(y * 65536)
        tag, grid = 1 + i, slit.inner.grid
        if grid is None:
            self._inner.fill(nodes.UNSEEN)
            self._trace_mesh(slit.inner, placed, nodes.STEP, self._inner, tag)
        slits.draw_slit(
            box,
            tag,
            (self._exact, self._kinds, self._owner),
            (self._fine, self._lower[i], self._inner),
            NO_GRID if grid is None else grid,
            placed,
            ready.masks,
            ready.covers,
            (skin.luma, skin.chroma, ready.alpha),
            ready.background,
            slit.parts,
            table,
            (round(256 * slit.opening.shadow), slit.opening.reach, ready.black),
            (ready.width, ready.height),
            self._scratch,
            out,
        )

    def _skin(self, drive: Drive) -> Skin:
        """Return the person's texture with lids and folds laid over it; valid until asked again."""
        ready = self.prepared
        shares = tuple(round(256 * drive.lids.get(lid.role, 0.0)) for lid in ready.lids)
        if not any(shares):
            return ready.skin
        if self._painted is None:
            self._painted = ready.skin.copy()
        for group in self._groups:
            wanted = [shares[k] for k in group]
            if wanted != [self._shares[k] for k in group]:
                self._paint_lids(self._painted, group, wanted)
        self._shares = shares
        return self._painted

    def _paint_lids(self, painted: Skin, group: list[int], shares: list[int]) -> None:
        """Lay the textures of a group over the bare skin, one over the other."""
        ready = self.prepared
        width, height = ready.width, ready.height
        shape = height + 1, width + 1
        bare, skin = ready.skin.packed.reshape(shape), painted.packed.reshape(shape)
        lids = [ready.lids[k] for k in group]
        boxes = [box_of(lid) for lid in lids]
        for left, top, right, bottom in boxes:
            skin[top:bottom, left:right] = bare[top:bottom, left:right]
        for lid, share in zip(lids, shares, strict=True):
            if share and lid.pixels.size:
                lay_lid(painted.packed, width + 1, *lid.origin, lid.pixels, share)
        for box in boxes:
            if box[0] < box[2] and box[1] < box[3]:
                painted.repack(ready.colour, (width, height), box)


def box_of(lid: Part) -> Box:
    """Where a lid or a fold lies on the texture plane."""
    (left, top), (rows, columns) = lid.origin, lid.pixels.shape[:2]
    return left, top, left + columns, top + rows


def overlapping(boxes: Sequence[Box]) -> list[list[int]]:
    """Group boxes so that none overlaps one of another group; in their order."""
    groups: list[list[int]] = []
    for k, box in enumerate(boxes):
        joined = [k]
        for group in [g for g in groups if any(_meet(boxes[i], box) for i in g)]:
            joined += group
            groups.remove(group)
        groups.append(sorted(joined))
    return groups


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
