"""The renderer that says what a picture is: NumPy, floating point, slow, readable.

Every other renderer is held against it. Coordinates are canvas pixels with integers at pixel
centres; colours are 0..255 in float64 until the very end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar, Mesh
from avatar_worker.frames import FaceControls, VideoFrame

from .colour import coefficients, rgb_to_i420
from .planes import Opening, Pixels, Planes, openings_of, planes_of
from .renderer import RenderSlot
from .shape_weights import Drive, Driver
from .vertices import Floats, VertexField

Doubles = npt.NDArray[np.float64]

_EDGE = 1e-4
_SMALLEST_AREA = 1e-6


class ReferenceSlot:
    """One avatar, ready to be drawn. Holds no buffers."""

    def __init__(self, avatar: Avatar) -> None:
        """Prepare the avatar."""
        self._avatar = avatar
        self.driver = Driver(avatar)
        self.field = VertexField(avatar)
        self.planes = planes_of(avatar)
        self.openings = openings_of(avatar)

    @property
    def avatar(self) -> Avatar:
        """The avatar that this slot draws."""
        return self._avatar


class ReferenceRenderer:
    """Draws as the contract reads, in about a second a picture."""

    @property
    def name(self) -> str:
        """`reference`."""
        return "reference"

    def open(self, avatar: Avatar) -> ReferenceSlot:
        """Give a session its slot."""
        return ReferenceSlot(avatar)

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. Each frame owns its bytes.

        Raises:
            TypeError: If a slot is another renderer's.
        """
        frames = []
        for slot, controls in jobs:
            if not isinstance(slot, ReferenceSlot):
                raise TypeError("this slot belongs to another renderer")
            canvas = slot.avatar.canvas
            rgb = np.rint(draw(slot, controls)).clip(0, 255).astype(np.uint8)
            data = rgb_to_i420(rgb, coefficients(canvas.matrix, canvas.range))
            frames.append(VideoFrame(controls.pts, canvas.width, canvas.height, data))
        return frames

    def close(self, slot: RenderSlot) -> None:
        """Nothing is held."""


def draw(slot: ReferenceSlot, controls: FaceControls) -> Doubles:
    """Draw a picture in RGB. (H, W, 3), 0..255.

    The body lies over the plate; every slit replaces what its own mesh covers.
    """
    drive = slot.driver.drive(controls)
    placed = slot.field.place(drive.weights, drive.head)
    maps = {
        (sheet.mesh.name, sheet.layer): texture_map(
            sheet.mesh, slot.field.of(placed, sheet), slot.planes.plate.shape[:2]
        )
        for sheet in slot.field.sheets
    }
    body = next(s.mesh.name for s in slot.field.sheets if s.layer == "skin")
    plate = slot.planes.plate.astype(np.float64)
    skin = skin_with_lids(slot.planes, drive)
    picture = over(plate, *sample(skin, maps[body, "skin"]))
    for opening in slot.openings:
        mesh = opening.slit.mesh
        upper, lower, inner = (maps[mesh, layer] for layer in ("upper", "lower", "inner"))
        drawn = draw_slit(slot, opening, drive, skin, (upper, lower, inner))
        covered = ~np.isnan(upper[..., 0])
        picture[covered] = drawn[covered]
    return picture


def draw_slit(
    slot: ReferenceSlot,
    opening: Opening,
    drive: Drive,
    skin: Doubles,
    maps: tuple[Doubles, Doubles, Doubles],
) -> Doubles:
    """Interior, the lower skin over it, the upper skin over that, and the person over the plate.

    Args:
        slot: The avatar.
        opening: The slit.
        drive: What to draw with.
        skin: The person's texture. (H, W, 4).
        maps: Where each pixel of the upper skin comes from, NaN where it is not; the same of the
            lower skin; the same of what only follows the head. (H, W, 2) each.

    Returns:
        The whole picture as if only this slit existed; meaningless where `upper` is NaN. (H, W, 3).
    """
    planes = slot.planes
    upper, lower, inner = maps
    over_interior = sample(planes.mask_lower[..., None], lower)[0][..., 0] / 255
    over_all = sample(planes.mask_upper[..., None], upper)[0][..., 0] / 255
    # Without lower skin the upper one is alone; without interior the lower one is.
    over_all[np.isnan(lower[..., 0]) | np.isnan(upper[..., 0])] = 1.0
    over_interior[np.isnan(inner[..., 0])] = 1.0

    interior = np.zeros_like(planes.plate, np.float64)
    for part in opening.parts:
        shift = np.array(part.origin) + drive.shifts.get(part.role, (0.0, 0.0))
        interior = over(interior, *sample(part.pixels, inner - shift))
    interior *= 1 - opening.shadow * cover_above(over_all, opening.reach)[..., None]

    colour, alpha = sample(skin, upper)
    below, _ = sample(skin, lower)
    behind = mix(interior, below, over_interior[..., None])
    return mix(planes.plate.astype(np.float64), mix(behind, colour, over_all[..., None]), alpha)


def skin_with_lids(planes: Planes, drive: Drive) -> Doubles:
    """Lay the textures of closing lids over the skin's colours. (H, W, 4); alpha stays."""
    skin = planes.skin.astype(np.float64)
    for role, lid in planes.lids.items():
        (x, y), (rows, columns) = lid.origin, lid.pixels.shape[:2]
        below = skin[y : y + rows, x : x + columns, :3]
        share = drive.lids.get(role, 0.0) * lid.pixels[..., 3:] / 255
        below[:] = mix(below, lid.pixels[..., :3], share)
    return skin


def texture_map(mesh: Mesh, xy: Floats, shape: tuple[int, ...]) -> Doubles:
    """Say for every pixel which texture coordinate lies there. (H, W, 2), NaN where none does.

    Triangles that show their back are left out; later ones cover earlier ones.

    Args:
        mesh: Its rest positions are the texture coordinates.
        xy: Screen positions of its vertices, (V, 2).
        shape: Height and width.
    """
    found = np.full((shape[0], shape[1], 2), np.nan)
    corners, sources = xy[mesh.tri].astype(np.float64), mesh.xy[mesh.tri].astype(np.float64)
    for (a, b, c), (ta, tb, tc) in zip(corners, sources, strict=True):
        area = _cross(b - a, c - a)
        if not area > _SMALLEST_AREA:
            continue
        left, top = np.ceil(np.maximum(np.minimum(np.minimum(a, b), c) - _EDGE, 0)).astype(int)
        last = np.array([shape[1] - 1, shape[0] - 1])
        high = np.minimum(np.maximum(np.maximum(a, b), c) + _EDGE, last)
        right, bottom = np.floor(high).astype(int)
        if right < left or bottom < top:
            continue
        y, x = np.mgrid[top : bottom + 1, left : right + 1]
        point = np.stack([x, y], axis=-1)
        # Barycentric weights: areas of the triangles towards each corner.
        of_b = _cross(point - a, c - a) / area
        of_c = _cross(b - a, point - a) / area
        # A shared edge belongs to both sides, which agree on it.
        slack = _EDGE * max(np.ptp([a, b, c], axis=0)) / area
        inside = (of_b >= -slack) & (of_c >= -slack) & (of_b + of_c <= 1 + slack)
        source = ta + of_b[..., None] * (tb - ta) + of_c[..., None] * (tc - ta)
        found[top : bottom + 1, left : right + 1][inside] = source[inside]
    return found


def sample(texture: Pixels | Doubles, where: Doubles) -> tuple[Doubles, Doubles]:
    """Look a texture up between its pixels; beyond the edge the outermost pixel goes on.

    Args:
        texture: (h, w, 1 | 3 | 4).
        where: Texture coordinates (x, y), (H, W, 2). NaN gives nothing: black, clear.

    Returns:
        Colour 0..255, (H, W, 1 | 3), and alpha 0..1, (H, W, 1): 1 where the texture has none.
    """
    height, width, channels = texture.shape
    missing = np.isnan(where[..., 0])
    x = np.clip(np.where(missing, 0, where[..., 0]), 0, width - 1)
    y = np.clip(np.where(missing, 0, where[..., 1]), 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = mix(texture[top, left].astype(np.float64), texture[top, right], fx)
    lower = mix(texture[bottom, left].astype(np.float64), texture[bottom, right], fx)
    value = mix(upper, lower, fy)
    value[missing] = 0.0
    if channels == 4:
        return value[..., :3], value[..., 3:] / 255
    return value, np.where(missing, 0.0, 1.0)[..., None]


def cover_above(cover: Doubles, reach: int) -> Doubles:
    """Return the mean cover in the `reach` rows above each pixel; above the picture it is full."""
    above = np.concatenate([np.ones((reach, cover.shape[1])), cover])
    total = np.concatenate([np.zeros((1, cover.shape[1])), np.cumsum(above, axis=0)])
    rows = len(cover)
    mean: Doubles = (total[reach : reach + rows] - total[:rows]) / reach
    return mean


def over(back: Doubles, colour: Doubles, alpha: Doubles) -> Doubles:
    """Lay a colour over what is there."""
    return mix(back, colour, alpha)


def mix(start: Doubles, end: Doubles | Pixels, share: Doubles) -> Doubles:
    """Go from one value to another."""
    return start + share * (end - start)


def _cross(a: Doubles, b: Doubles) -> Doubles:
    product: Doubles = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product
