"""What the CPU renderer prepares once per avatar: flat packed textures and triangles worth drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar

from .colour import coefficients, pack_i420
from .interior import Packed, Textures, interior_of
from .nodes import PAD
from .planes import Opening, openings_of, planes_of
from .shape_weights import Driver
from .textures import away_of, covers_of, flat, pack_skin, packed, taps_of
from .vertices import Floats, Sheet, VertexField
from .walk import Grid, grid_of

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
        parts: Luma, chroma and alpha of the interior's textures, one after the other. uint32.
        table: Base, width, height, fixed-point x and y, and whether it is opaque, of every part.
            int64, (parts, 6).
    """

    opening: Opening
    upper: ReadyMesh
    lower: ReadyMesh
    inner: ReadyMesh
    parts: Textures
    table: npt.NDArray[np.int64]


class Prepared:
    """What all sessions of an avatar share. Immutable.

    Attributes:
        background: The background in I420.
        skin: The person.
        alpha: From `textures.taps_of`.
        covers: From `textures.covers_of`: of the person, by the upper, and by the lower skin.
        away: From `textures.away_of`.
        black: Luma of black.
        masks: From `textures.taps_of`: cover by the upper and by the lower skin of a slit.
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
        self.black = int(self.colour[0, 3]) >> 16
        plate = packed(np.dstack([planes.plate, np.full_like(planes.plate[..., 0], 255)]))
        size = self.width * self.height
        self.background = np.empty(size * 3 // 2, np.uint8)
        pack_i420(plate, self.colour, self.background)
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
        self.masks = taps_of(planes.mask_upper), taps_of(planes.mask_lower)
        self.uv: Floats = np.concatenate([s.mesh.xy for s in self.field.sheets]).astype(np.float32)

        sheets = {(s.mesh.name, s.layer): s for s in self.field.sheets}
        self.body = _mesh(next(s for s in self.field.sheets if s.layer == "skin"))
        slits = []
        for opening in openings_of(avatar):
            upper, lower, inner = (
                _mesh(sheets[opening.slit.mesh, layer]) for layer in ("upper", "lower", "inner")
            )
            textures = interior_of(opening, self.colour)
            slits.append(ReadySlit(opening, upper, lower, inner, *textures))
        self.slits = tuple(slits)


def _mesh(sheet: Sheet) -> ReadyMesh:
    tri = (sheet.mesh.tri + sheet.start).astype(np.int32)
    return ReadyMesh(grid_of(sheet), tri)
