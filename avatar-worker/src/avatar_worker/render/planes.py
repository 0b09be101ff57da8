"""An avatar's layers as a renderer samples them: full planes, and parts with a clear border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar, Layer, Slit

from .shape_weights import FOLDS, LIDS

Pixels = npt.NDArray[np.uint8]

LIP_SHADOW: Final = 0.22
LIP_SHADOW_MM: Final = 4.0
LID_SHADOW: Final = 0.18
LID_SHADOW_UNITS: Final = 0.06
"""How dark the upper edge makes the interior, and how far down its shadow reaches."""

EYES_APART_MM: Final = 63.0
"""Inter-ocular distance that turns pixels into millimetres."""


@dataclass(frozen=True, slots=True)
class Planes:
    """What covers the whole picture.

    Attributes:
        plate: The background. uint8, (H, W, 3).
        skin: The person, straight alpha. uint8, (H, W, 4).
        mask_upper: 255 where the upper skin of a slit is. uint8, (H, W).
        mask_lower: 255 where the lower skin of a slit is. uint8, (H, W).
        lids: What closing lids, and then folds, lay over the skin, by role, in this order; each
            lies within the picture.
    """

    plate: Pixels
    skin: Pixels
    mask_upper: Pixels
    mask_lower: Pixels
    lids: dict[str, Part]


@dataclass(frozen=True, slots=True)
class Part:
    """A texture seen through a slit.

    Attributes:
        role: Its layer's role.
        origin: Where its top left pixel lies in the texture plane (x, y).
        pixels: Straight alpha; beyond the edge the outermost pixel goes on. uint8, (h, w, 4).
    """

    role: str
    origin: tuple[int, int]
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Opening:
    """A slit's interior and its shade.

    Attributes:
        slit: The slit.
        parts: Back to front.
        shadow: How much of the light the upper edge takes where it is nearest, [0, 1].
        reach: How many rows above a pixel cast the shadow, at least 1.
    """

    slit: Slit
    parts: tuple[Part, ...]
    shadow: float
    reach: int


def planes_of(avatar: Avatar) -> Planes:
    """Lay the layers that a whole picture needs on full planes."""
    height, width = avatar.canvas.height, avatar.canvas.width

    def plane(role: str, fill: int, channels: int) -> Pixels:
        whole = np.full((height, width, channels), fill, np.uint8)
        layer = avatar.layers.get(role)
        if layer is not None:
            x, y = layer.origin
            left, top = max(x, 0), max(y, 0)
            part = layer.pixels[top - y :, left - x :][
                : max(height - top, 0), : max(width - left, 0)
            ]
            whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        return whole

    return Planes(
        plate=plane("plate", 0, 3),
        skin=plane("skin", 0, 4),
        mask_upper=plane("mask_upper", 255, 1)[..., 0],
        mask_lower=plane("mask_lower", 0, 1)[..., 0],
        lids={
            role: _lid(avatar.layers[role], width, height)
            for role in (*LIDS, *FOLDS)
            if role in avatar.layers
        },
    )


def openings_of(avatar: Avatar) -> tuple[Opening, ...]:
    """Describe what every slit opens on."""
    unit = avatar.subject.iod_px
    openings = []
    for slit in avatar.rig.slits:
        mouth = slit.name == "mouth"
        reach = LIP_SHADOW_MM * unit / EYES_APART_MM if mouth else LID_SHADOW_UNITS * unit
        parts = tuple(part_of(avatar.layers[r]) for r in slit.inner if r in avatar.layers)
        shadow = LIP_SHADOW if mouth else LID_SHADOW
        openings.append(Opening(slit, parts, shadow, max(1, round(reach))))
    return tuple(openings)


def _lid(layer: Layer, width: int, height: int) -> Part:
    """Cut a lid's texture to the picture; without alpha it is opaque."""
    x, y = layer.origin
    left, top = max(x, 0), max(y, 0)
    pixels = layer.pixels[top - y : max(height - y, 0), left - x : max(width - x, 0)]
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if colour.shape[2] == 3:
        colour = np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)])
    return Part(layer.role, (left, top), np.ascontiguousarray(colour))


def part_of(layer: Layer) -> Part:
    """Give a layer alpha: what has none is opaque without end, what has some ends in clear pixels."""
    pixels = layer.pixels
    if pixels.shape[2] == 4:
        padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
        padded[[0, -1], :, 3] = 0
        padded[:, [0, -1], 3] = 0
        return Part(layer.role, (layer.origin[0] - 1, layer.origin[1] - 1), padded)
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    opaque = np.full((*colour.shape[:2], 1), 255, np.uint8)
    return Part(layer.role, layer.origin, np.concatenate([colour, opaque], axis=2))
