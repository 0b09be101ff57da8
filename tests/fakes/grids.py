"""Meshes that are regular grids, as the renderer's walks take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Mesh
from avatar_worker.render.vertices import Sheet
from avatar_worker.render.walk import Grid, grid_of


def sheet(mesh: Mesh) -> Sheet:
    """The mesh as the only sheet of a skin."""
    return Sheet(mesh, "skin", 0, len(mesh.xy))


def grid(mesh: Mesh) -> Grid:
    """The grid that the mesh is."""
    found = grid_of(sheet(mesh))
    assert found is not None
    return found


def shaken(mesh: Mesh, seed: int, by: float) -> npt.NDArray[np.float32]:
    """Move every vertex by up to `by` pixels but those of the border. (V, 2)."""
    moved = np.random.default_rng(seed).uniform(-by, by, mesh.xy.shape)
    first, last = mesh.xy.min(0), mesh.xy.max(0)
    moved[((mesh.xy == first) | (mesh.xy == last)).any(1)] = 0
    return np.ascontiguousarray(mesh.xy + moved, np.float32)
