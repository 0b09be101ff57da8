"""A tiny avatar that is valid by every rule of the format: 64 x 80 pixels, six shapes.

Its face is a disc with a mouth and two eyes; enough for readers, writers, libraries and renderers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar, Canvas, Layer, Mesh, Rig, Slit, Subject
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES

Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT = 64, 80
MOUTH = (32.0, 48.0)
EYE_LEFT = (40.0, 30.0)  # the subject's left: image right
EYE_RIGHT = (24.0, 30.0)
SHAPES = ("close", "jawOpen", "blinkL", "blinkR", "browUpL", "breath")


def tiny_manifest() -> dict[str, Any]:
    """What a builder puts into `Avatar.manifest`: everything that is not geometry."""
    return {
        "name": "Tiny",
        "created": "2026-11-22T10:00:00Z",
        "idle": {
            "style": "calm",
            "seed": 7,
            "blink_per_min": 17.0,
            "breath_per_min": 14.0,
            "sway_deg": {"yaw": 1.2, "pitch": 0.8, "roll": 0.6},
        },
        "licence": {
            "spdx": "CC0-1.0",
            "url": "https://creativecommons.org/publicdomain/zero/1.0/",
            "authors": ["Example Studio"],
            "credit": "unnecessary",
            "commercial_use": True,
            "redistribution": True,
            "modification": "allowed",
            "deny": [],
        },
        "consent": {"subject": "synthetic"},
        "provenance": {
            "tool": {"name": "tests", "version": "1.0.0"},
            "digital_source_type": "algorithmicMedia",
            "ai_edits": [],
            "sources": [],
        },
        "disclosure": {"label": {"en": "AI-generated avatar"}, "show": "start"},
        "ext": {},
    }


def tiny_avatar(avatar_id: str = "tiny", *, seed: int = 0, **manifest: Any) -> Avatar:
    """Make the avatar; other seeds give other pixels, keywords replace manifest keys."""
    return Avatar(
        id=avatar_id,
        content_id="",
        manifest={**tiny_manifest(), **manifest},
        canvas=Canvas(WIDTH, HEIGHT, 25, "bt709", "limited"),
        subject=Subject(
            iod_px=16.0,
            mouth_width_px=14.0,
            neck_pivot_px=(32.0, 62.0, 9.0),
            focal_px=175.0,
            pose_limit_deg=(12.0, 8.0, 8.0),
        ),
        rig=tiny_rig(),
        layers={layer.role: layer for layer in tiny_layers(seed)},
    )


def tiny_rig() -> Rig:
    """The four meshes and three slits of the tiny avatar."""
    meshes = (
        _mesh("body", 8, (0, 0), (9, 11), None),
        _mesh("mouth", 4, (20, 38), (7, 7), MOUTH),
        _mesh("eye_l", 4, (32, 22), (5, 5), EYE_LEFT),
        _mesh("eye_r", 4, (16, 22), (5, 5), EYE_RIGHT),
    )
    slits = (
        _slit("mouth", "mouth", MOUTH, 7.0, 1.0, ("teeth_upper", "teeth_lower", "tongue")),
        _slit("lid_l", "eye_l", EYE_LEFT, 3.5, 2.0, ("eye_l",)),
        _slit("lid_r", "eye_r", EYE_RIGHT, 3.5, 2.0, ("eye_r",)),
    )
    to_shape = np.zeros((len(CONTROL_NAMES), len(SHAPES)), np.float32)
    for control, shape, gain in (
        ("jawOpen", "jawOpen", 1.0),
        ("eyeBlinkLeft", "blinkL", 1.0),
        ("eyeBlinkRight", "blinkR", 1.0),
        ("browOuterUpLeft", "browUpL", 0.8),
        ("breath", "breath", 1.0),
    ):
        to_shape[CONTROL_INDEX[control], SHAPES.index(shape)] = gain
    return Rig(SHAPES, to_shape, _landmarks(), meshes, slits)


def tiny_layers(seed: int = 0) -> list[Layer]:
    """Plate, skin, masks and what is seen through the slits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    plate = np.stack([40 + y, 60 + x, np.full_like(x, 90)], -1).astype(np.uint8)
    head = np.hypot((x - 31.5) / 22, (y - 38) / 28)
    body = (y > 62) & (np.abs(x - 31.5) < 28)
    skin = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    skin[..., :3] = np.clip(np.array([200, 160, 140]) - 40 * head[..., None], 0, 255)
    skin[..., :3] += rng.integers(0, 8, (HEIGHT, WIDTH, 3), np.uint8)
    skin[..., 3] = np.where(body, 255, np.clip((1.05 - head) * 255 * 8, 0, 255))
    upper = np.where(y < MOUTH[1], 255, 0).astype(np.uint8)[..., None]
    layers = [
        Layer("plate", (0, 0), plate),
        Layer("skin", (0, 0), skin),
        Layer("mask_upper", (0, 0), upper),
        Layer("mask_lower", (0, 0), 255 - upper),
    ]
    for role, origin, size, colour in (
        ("teeth_upper", (24, 45), (16, 4), (236, 226, 208)),
        ("teeth_lower", (24, 49), (16, 4), (220, 210, 195)),
        ("tongue", (26, 49), (12, 6), (158, 69, 66)),
        ("eye_l", (35, 26), (10, 8), (240, 240, 240)),
        ("eye_r", (19, 26), (10, 8), (240, 240, 240)),
    ):
        pixels = np.empty((size[1], size[0], 4), np.uint8)
        pixels[:] = (*colour, 255)
        pixels[[0, -1], :, 3] = 128
        layers.append(Layer(role, origin, pixels))
    return layers


def _mesh(
    name: str,
    cell: int,
    origin: tuple[int, int],
    count: tuple[int, int],
    centre: tuple[float, float] | None,
) -> Mesh:
    """A regular grid of `count` vertices; a slit's layers part where its shape is at work."""
    columns, rows = count
    y, x = np.mgrid[:rows, :columns]
    xy = np.stack([x * cell + origin[0], y * cell + origin[1]], -1)
    xy = xy.reshape(-1, 2).astype(np.float32)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    first = np.stack([corner, corner + 1, corner + columns + 1], -1)
    second = np.stack([corner, corner + columns + 1, corner + columns], -1)
    tri = np.concatenate([first, second]).astype(np.int32)
    layers = ("skin",) if centre is None else ("upper", "lower")
    delta = np.zeros((len(layers), len(SHAPES), len(xy), 2), np.float16)
    if centre is None:
        chest = np.clip((xy[:, 1] - 62) / 18, 0, 1)
        delta[0, SHAPES.index("breath"), :, 1] = -1.5 * chest
    else:
        near = np.exp(-(((xy - np.array(centre)) / (0.22 * cell * columns)) ** 2).sum(1))
        shape, moving, way = {
            "mouth": ("jawOpen", 1, 5.0),
            "eye_l": ("blinkL", 0, 3.0),
            "eye_r": ("blinkR", 0, 3.0),
        }[name]
        delta[moving, SHAPES.index(shape), :, 1] = way * near
    dome = np.hypot((xy[:, 0] - 32) / 22, (xy[:, 1] - 38) / 28)
    return Mesh(
        name=name,
        cell_px=cell,
        origin=origin,
        layers=layers,
        xy=xy,
        depth=(9 * np.clip(dome, 0, 1) - 9).astype(np.float32),
        tri=tri,
        delta=delta,
        pose_weight=np.clip((70 - xy[:, 1]) / 12, 0, 1).astype(np.float32),
    )


def _slit(
    name: str,
    mesh: str,
    centre: tuple[float, float],
    half_width: float,
    half_height: float,
    inner: tuple[str, ...],
) -> Slit:
    angle = np.arange(16) * (2 * np.pi / 16)
    ring = np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], -1)
    seam = np.stack([np.linspace(-half_width, half_width, 9), np.zeros(9)], -1)
    return Slit(
        name=name,
        mesh=mesh,
        contour=(ring + centre).astype(np.float32),
        seam=(seam + centre).astype(np.float32),
        inner=inner,
    )


def _landmarks() -> Floats:
    """A spiral over the face; the mouth, eye and outline points a test may ask for lie right."""
    index = np.arange(478)
    radius, angle = np.sqrt(index / 478), index * 2.399963
    points = np.empty((478, 3), np.float32)
    points[:, 0] = 32 + 20 * radius * np.cos(angle)
    points[:, 1] = 38 + 24 * radius * np.sin(angle)
    points[:, 2] = 9 * radius - 9
    for i, (x, y) in {
        61: (25, 48), 291: (39, 48), 13: (32, 47.5), 14: (32, 48.5), 78: (25.5, 48),
        308: (38.5, 48), 152: (32, 60), 10: (32, 15), 2: (32, 42), 1: (32, 40),
        33: (20.5, 30), 133: (27.5, 30), 362: (36.5, 30), 263: (43.5, 30),
        159: (24, 28), 145: (24, 32), 386: (40, 28), 374: (40, 32),
        468: EYE_RIGHT, 473: EYE_LEFT,
    }.items():  # fmt: skip
        points[i, :2] = x, y
    return points
