"""The large textures: the background without the person, the skin, the two masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from avatar_worker.avatars.avatar import Layer, Mesh

from .fill import Floats, push_pull, to_bytes
from .lips import grown_over, lips
from .measures import Measures
from .slit import Array, smoothstep

Bytes = npt.NDArray[np.uint8]

LIP_FEATHER, LID_FEATHER = 1.1, 0.9
LIP_OVERLAP, LID_OVERLAP = 0.9, 0.4
"""Pixels at u = 100. Closed lips overlap, or a hairline of the mouth's inside would show."""

PARTED_PX: Final = (0.05, 0.30)
"""Skins that no shape moves farther apart than the first are one; beyond the second, two."""

SOLID: Final = 0.97
"""Above this alpha the skin is the photo; below, the person's estimated own colour."""


def pixel_centres(width: int, height: int) -> Array:
    """Canvas points of all pixels, integers. (h, w, 2)."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x, y], -1) * 1.0


def plate(rgb: Bytes, alpha: Floats, u: float) -> Layer:
    """The background. Outside the widened matte it is the photo, byte for byte."""
    side = 2 * max(2, round(0.03 * u)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    person = cv2.dilate((alpha > 0.01).astype(np.uint8), kernel) > 0
    if person.all():
        return Layer("plate", (0, 0), rgb.copy())
    filled = push_pull(rgb, ~person)
    # The fill is soft; a little blur hides the pyramid's blocks.
    soft = cv2.GaussianBlur(filled, (0, 0), 0.08 * u)
    return Layer("plate", (0, 0), np.where(person[..., None], to_bytes(soft), rgb))


def skin(rgb: Bytes, alpha: Floats, foreground: Bytes, m: Measures) -> Layer:
    """The person, with mouth and eyes grown over. Straight alpha.

    Under the slits lies the colour of lips and lids: a soft edge would show a ghost of teeth or of
    the white of the eye otherwise.
    """
    height, width = alpha.shape
    solid = (alpha > SOLID)[..., None]
    person = np.where(solid, rgb, foreground).astype(np.float32)
    xy = pixel_centres(width, height)
    for eye in m.eyes.values():
        s, t = eye.local(xy)
        inset = 1.0 * m.u / 100
        # The iris touches the lower lid; its rim must not stay behind there.
        inside = (np.abs(s) < 1) & (t > eye.upper(s) + inset) & (t < eye.lower(s) + 0.3 * inset)
        person = grown_over(person, inside, 0.5)
    person = lips(person, m, *m.mouth.local(xy))
    return Layer("skin", (0, 0), np.dstack([to_bytes(person), to_bytes(alpha * 255)]))


def masks(m: Measures, width: int, height: int, meshes: Sequence[Mesh] = ()) -> tuple[Layer, Layer]:
    """Where the upper and the lower skin are solid, in texture space.

    Args:
        m: The face.
        width: The canvas's.
        height: The canvas's.
        meshes: With them the upper skin is solid wherever no shape parts it from the lower one:
            which is drawn there makes no difference, and one costs less than two.
    """
    xy = pixel_centres(width, height)
    parting = {mesh.name: _parting(mesh, xy) for mesh in meshes if len(mesh.layers) == 2}
    upper, lower = _mouth_masks(m, xy)
    if "mouth" in parting:
        upper = np.maximum(upper, 1 - parting["mouth"])
    for side in m.eyes:
        above, below = _eye_masks(m, side, xy)
        if f"eye_{side}" in parting:
            above = np.maximum(above, 1 - parting[f"eye_{side}"])
        upper, lower = np.minimum(upper, above), np.minimum(lower, below)
    return (
        Layer("mask_upper", (0, 0), to_bytes(upper * 255)[..., None]),
        Layer("mask_lower", (0, 0), to_bytes(lower * 255)[..., None]),
    )


def _parting(mesh: Mesh, xy: Array) -> Array:
    """1 where some shape moves a mesh's two skins apart, 0 where they agree and beyond the mesh."""
    across = np.linalg.norm(mesh.delta[0].astype(np.float64) - mesh.delta[1], axis=-1).max(axis=0)
    columns = len(np.unique(mesh.xy[:, 0]))
    # A triangle belongs to what its worst corner does.
    grid = cv2.dilate(across.reshape(-1, columns), np.ones((3, 3), np.uint8))
    place = (xy - mesh.xy[0]) / mesh.cell_px
    apart = map_coordinates(grid, np.moveaxis(place[..., ::-1], -1, 0), order=1, cval=0.0)
    return smoothstep(*PARTED_PX, np.asarray(apart, np.float64))


def _mouth_masks(m: Measures, xy: Array) -> tuple[Array, Array]:
    s, t = m.mouth.local(xy)
    a, hw, scale = np.abs(s), m.mouth.half_width, m.u / 100
    # The feather widens beyond the corners and dissolves the cut in the cheek.
    feather = scale * LIP_FEATHER + 0.35 * hw * np.maximum(a - 1, 0)
    overlap = scale * LIP_OVERLAP * (1 - smoothstep(1.0, 1.3, a))
    edge_upper, edge_lower = m.mouth.upper(s), m.mouth.lower(s)
    upper = _ramp(feather, edge_upper + overlap - t)
    lower = _ramp(feather, t - edge_lower + overlap)
    near = (a < 1) & (t > edge_upper - 0.35 * m.u) & (t < edge_lower + 0.30 * m.u)
    return upper, np.where(near, lower, 1.0)


def _eye_masks(m: Measures, side: str, xy: Array) -> tuple[Array, Array]:
    eye = m.eyes[side]
    s, t = eye.local(xy)
    a, u = np.abs(s), m.u
    feather = u / 100 * LID_FEATHER * np.ones_like(s)
    overlap = u / 100 * LID_OVERLAP
    edge_upper, edge_lower = eye.upper(s), eye.lower(s)
    # The cheek belongs to the upper skin: its mask returns to 1 below the lower lid.
    upper = _ramp(feather, edge_upper + overlap - t)
    upper = np.maximum(upper, smoothstep(0.22 * u, 0.34 * u, t - edge_lower))
    lower = _ramp(feather, t - edge_lower + overlap)
    near = (a < 1) & (t > edge_upper - 0.25 * u) & (t < edge_lower + 0.36 * u)
    return np.where(near, upper, 1.0), np.where(near, lower, 1.0)


def _ramp(feather: Array, x: Array) -> Array:
    """0 at -feather, 1 at +feather."""
    r = np.clip((x / feather + 1) / 2, 0, 1)
    return np.asarray(r * r * (3 - 2 * r))
