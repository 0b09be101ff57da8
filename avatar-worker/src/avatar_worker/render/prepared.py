"""What the CPU renderer prepares once per avatar: flat packed textures and triangles worth drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar

from .colour import coefficients, pack_i420
from .nodes import PAD
from .planes import Opening, Pixels, openings_of, planes_of
from .shape_weights import Driver
from .textures import away_of, covers_of, pack_skin, taps_of
from .vertices import Floats, Sheet, VertexField
from .walk import Grid, grid_of

Packed = npt.NDArray[np.uint32]
Triangles = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Skin:
    """The person's texture in the forms that are sampled, flat.

    Attributes:
        packed: RGBA in one word, for slits. uint32.
        luma: From `textures.pack_skin`. uint32.
        chroma: From `textures.pack_skin`. uint32.
    """

    packed: Packed
    luma: Packed
    chroma: Packed

    def copy(self) -> Skin:
        """Return a copy that may be painted over."""
        return Skin(self.packed.copy(), self.luma.copy(), self.chroma.copy())

    def repack(
        self, colour: npt.NDArray[np.int32], size: tuple[int, int], box: tuple[int, int, int, int]
    ) -> None:
        """Bring luma and chroma up to date where `packed` has changed.

        Args:
            colour: From `colour.coefficients`.
            size: Width and height of the texture.
            box: Left, top, right, bottom of the change.
        """
        pack_skin(self.packed, colour, *size, box, self.luma, self.chroma)


@dataclass(frozen=True, slots=True)
class ReadyMesh:
    """A sheet of skin, ready to be traced.

    Attributes:
        grid: How its vertices lie, if it is a regular grid.
        tri: Its triangles among all vertices.
    """

    grid: Grid | None
    tri: Triangles


@dataclass(frozen=True, slots=True)
class ReadySlit:
    """A slit, ready to draw.

    Attributes:
        opening: Its interior and shade.
        upper: The upper skin.
        lower: The lower skin.
        inner: What only follows the head.
        parts: The interior's textures, packed, flat, one after the other.
        table: Base, width, height, fixed-point x and y of every part. int64, (parts, 5).
    """

    opening: Opening
    upper: ReadyMesh
    lower: ReadyMesh
    inner: ReadyMesh
    parts: Packed
    table: npt.NDArray[np.int64]


class Prepared:
    """What all sessions of an avatar share. Immutable.

    Attributes:
        plate: The background, packed. uint32, (H, W).
        background: The same in I420.
        skin: The person.
        alpha: From `textures.taps_of`.
        covers: From `textures.covers_of`: of the person, by the upper, and by the lower skin.
        away: From `textures.away_of`.
        mask_upper: Cover by the upper skin of a slit, flat. uint8.
        mask_lower: Cover by the lower skin, flat. uint8.
        body: The skin outside all slits.
        slits: What may show through.
    """

    def __init__(self, avatar: Avatar) -> None:
        """Prepare everything; tens of milliseconds."""
        planes = planes_of(avatar)
        self.driver = Driver(avatar)
        self.field = VertexField(avatar)
        self.width, self.height = avatar.canvas.width, avatar.canvas.height
        self.colour = coefficients(avatar.canvas.matrix, avatar.canvas.range)
        self.plate = packed(np.dstack([planes.plate, np.full_like(planes.plate[..., 0], 255)]))
        size = self.width * self.height
        self.background = np.empty(size * 3 // 2, np.uint8)
        pack_i420(self.plate, self.colour, self.background)
        entries = (self.height + 2 * PAD) * (self.width + 2 * PAD)
        self.skin = Skin(
            flat(packed(planes.skin)),
            np.empty(entries, np.uint32),
            np.empty(entries + self.width + 2 * PAD, np.uint32),
        )
        self.skin.repack(self.colour, (self.width, self.height), (0, 0, self.width, self.height))
        self.alpha = taps_of(planes.skin[..., 3])
        self.covers = (
            covers_of(planes.skin[..., 3]),
            covers_of(planes.mask_upper),
            covers_of(planes.mask_lower),
        )
        self.away = away_of(planes.skin[..., 3])
        self.lids = tuple(planes.lids.values())
        self.mask_upper = flat(planes.mask_upper)
        self.mask_lower = flat(planes.mask_lower)
        self.uv: Floats = np.concatenate([s.mesh.xy for s in self.field.sheets]).astype(np.float32)

        sheets = {(s.mesh.name, s.layer): s for s in self.field.sheets}
        self.body = _mesh(next(s for s in self.field.sheets if s.layer == "skin"))
        slits = []
        for opening in openings_of(avatar):
            upper, lower, inner = (
                sheets[opening.slit.mesh, layer] for layer in ("upper", "lower", "inner")
            )
            slits.append(_slit(opening, (upper, lower, inner)))
        self.slits = tuple(slits)


def _mesh(sheet: Sheet) -> ReadyMesh:
    tri = (sheet.mesh.tri + sheet.start).astype(np.int32)
    return ReadyMesh(grid_of(sheet), tri)


def _slit(opening: Opening, sheets: tuple[Sheet, Sheet, Sheet]) -> ReadySlit:
    """Lay the interior's textures one after the other."""
    textures, table, base = [np.zeros(0, np.uint32)], [], 0
    for part in opening.parts:
        texture = flat(packed(part.pixels))
        height, width = part.pixels.shape[:2]
        table.append((base, width, height, part.origin[0] << 16, part.origin[1] << 16))
        textures.append(texture)
        base += len(texture)
    upper, lower, inner = (_mesh(sheet) for sheet in sheets)
    return ReadySlit(
        opening=opening,
        upper=upper,
        lower=lower,
        inner=inner,
        parts=np.concatenate(textures),
        table=np.array(table, np.int64).reshape(-1, 5),
    )


def packed(rgba: Pixels) -> Packed:
    """Four channels in one little-endian word. (h, w, 4) to (h, w)."""
    return np.ascontiguousarray(rgba).view("<u4")[..., 0]


def flat(texture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat the last column and row, so that a sample's neighbour always exists; flatten."""
    return np.ascontiguousarray(np.pad(texture, ((0, 1), (0, 1)), mode="edge")).ravel()
