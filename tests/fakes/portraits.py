"""Avatars built from the two pictures that every checkout has: the demo's actor, the astronaut."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from avatar_worker.avatars import Avatar, Mesh
from avatar_worker.avatars.builder.models import download_models
from avatar_worker.avatars.builder.portrait.build import build_portrait
from avatar_worker.avatars.builder.portrait.measures import Measures, measure

ACTOR = Path(__file__).parents[2] / "avatar-worker" / "assets-src" / "demo" / "portrait.png"
CREATED = "2026-11-22T12:00:00Z"
NAMES = ("actor", "astronaut")


def photo(name: str) -> npt.NDArray[np.uint8]:
    """The picture, RGB. The actor's lips are closed, the astronaut shows teeth."""
    if name == "astronaut":
        return np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    bgr = cv2.imread(str(ACTOR), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


@cache
def built(name: str) -> Avatar:
    """The avatar, built once per run."""
    download_models()
    return build_portrait(
        photo(name), avatar_id=name, name=name, consent={"subject": "synthetic"}, created=CREATED
    )


@cache
def measured(name: str) -> Measures:
    avatar = built(name)
    points = avatar.rig.landmarks.astype(np.float64)
    return measure(points, avatar.canvas.width, avatar.canvas.height)


def mesh(avatar: Avatar, name: str) -> Mesh:
    return next(mesh for mesh in avatar.rig.meshes if mesh.name == name)


def moved(
    avatar: Avatar,
    mesh_name: str,
    layer: int,
    shapes: dict[str, float],
    at: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Where points (n, 2) of the texture go: linear in the mesh's triangles, as it is drawn."""
    part = mesh(avatar, mesh_name)
    weights = np.array([shapes.get(shape, 0.0) for shape in avatar.rig.shapes])
    field = np.tensordot(weights, part.delta[layer].astype(np.float64), 1)
    columns = round((part.xy[:, 0].max() - part.origin[0]) / part.cell_px) + 1
    cell = (at - np.array(part.origin)) / part.cell_px
    corner = np.floor(cell).astype(int)
    fx, fy = (cell - corner).T[..., None]
    a = corner[:, 1] * columns + corner[:, 0]
    b, c, d = a + 1, a + columns + 1, a + columns
    upper = field[a] + fx * (field[b] - field[a]) + fy * (field[c] - field[b])
    lower = field[a] + fx * (field[c] - field[d]) + fy * (field[d] - field[a])
    there: npt.NDArray[np.float64] = at + np.where(fx >= fy, upper, lower)
    return there
