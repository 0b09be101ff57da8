"""The geometry of a portrait: which tensors the manifest announces, and the rig they make (V16 to V18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Canvas, Mesh, Rig, Slit, Subject
from avatar_worker.frames import ARKIT_NAMES, CONTROL_INDEX, CONTROL_NAMES

from .fault import fail
from .schema import MAX_COORDINATE, Manifest
from .tensors import Expected

LANDMARKS: Final = 478
MAX_DELTA: Final = 2048
MAX_GAIN: Final = 8

Arrays = Mapping[str, npt.NDArray[Any]]


def expected_tensors(model: Manifest) -> dict[str, Expected]:
    """Every tensor that `rig.safetensors` has to hold, from the manifest alone."""
    far = float(MAX_COORDINATE)
    shapes = len(model.rig.shapes)
    controls = len(ARKIT_NAMES) + len(model.controls.extra)
    expected = {
        "landmarks": Expected("F32", (LANDMARKS, 3), -far, far),
        "arkit_to_shape": Expected("F32", (controls, shapes), -MAX_GAIN, MAX_GAIN),
    }
    for mesh in model.rig.meshes:
        v, layers = mesh.vertices, len(mesh.layers)
        expected[f"{mesh.name}/xy"] = Expected("F32", (v, 2), -far, far)
        expected[f"{mesh.name}/depth"] = Expected("F32", (v,), -far, far)
        expected[f"{mesh.name}/tri"] = Expected("I32", (mesh.triangles, 3), 0, v - 1)
        expected[f"{mesh.name}/delta"] = Expected(
            "F16", (layers, shapes, v, 2), -MAX_DELTA, MAX_DELTA
        )
        expected[f"{mesh.name}/pose_weight"] = Expected("F32", (v,), 0, 1)
    for slit in model.rig.slits:
        expected[f"{slit.name}/contour"] = Expected("F32", (slit.contour, 2), -far, far)
        expected[f"{slit.name}/seam"] = Expected("F32", (slit.seam, 2), -far, far)
    return expected


def build_rig(model: Manifest, arrays: Arrays, where: str) -> Rig:
    """Assemble the rig and check its geometry.

    Raises:
        FormatFault: `E_GEOMETRY` (V18).
    """
    meshes = tuple(
        Mesh(
            name=part.name,
            cell_px=part.cell_px,
            origin=(part.origin[0], part.origin[1]),
            layers=tuple(part.layers),
            **{key: arrays[f"{part.name}/{key}"] for key in MESH_ARRAYS},
        )
        for part in model.rig.meshes
    )
    slits = tuple(
        Slit(
            name=part.name,
            mesh=part.mesh,
            contour=arrays[f"{part.name}/contour"],
            seam=arrays[f"{part.name}/seam"],
            inner=tuple(part.inner),
        )
        for part in model.rig.slits
    )
    for mesh in meshes:
        _check_triangles(mesh, where)
    by_name = {mesh.name: mesh for mesh in meshes}
    for slit in slits:
        _check_inside(slit, by_name[slit.mesh], where)
    return Rig(
        shapes=tuple(model.rig.shapes),
        arkit_to_shape=_by_control_name(arrays["arkit_to_shape"], model.controls.extra),
        landmarks=arrays["landmarks"],
        meshes=meshes,
        slits=slits,
    )


MESH_ARRAYS: Final = ("xy", "depth", "tri", "delta", "pose_weight")


def canvas_of(model: Manifest) -> Canvas:
    """The canvas as the renderers want it."""
    part = model.canvas
    return Canvas(part.width, part.height, part.fps, part.matrix, part.range)


def subject_of(model: Manifest) -> Subject:
    """The measures as the renderers want them."""
    part = model.subject
    x, y, z = part.neck_pivot_px
    limit = part.pose_limit_deg
    return Subject(
        iod_px=part.iod_px,
        mouth_width_px=part.mouth_width_px,
        neck_pivot_px=(x, y, z),
        focal_px=part.focal_px,
        pose_limit_deg=(limit.yaw, limit.pitch, limit.roll),
    )


def _by_control_name(matrix: npt.NDArray[np.float32], extra: list[str]) -> npt.NDArray[np.float32]:
    """Bring the file's rows into `CONTROL_NAMES` order; channels we lack are left out."""
    rows = np.zeros((len(CONTROL_NAMES), matrix.shape[1]), np.float32)
    for name, row in zip((*ARKIT_NAMES, *extra), matrix, strict=True):
        if name in CONTROL_INDEX:
            rows[CONTROL_INDEX[name]] = row
    rows.flags.writeable = False
    return rows


def _check_triangles(mesh: Mesh, where: str) -> None:
    corner = mesh.xy.astype(np.float64)[mesh.tri]
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    if not bool((area > 0).all()):
        place = f"{where}:{mesh.name}/tri"
        fail("E_GEOMETRY", "V18", place, "has a triangle without area or turned over at rest")


def _check_inside(slit: Slit, mesh: Mesh, where: str) -> None:
    low, high = mesh.xy.min(0), mesh.xy.max(0)
    for name, points in (("contour", slit.contour), ("seam", slit.seam)):
        if bool(((points < low) | (points > high)).any()):
            place = f"{where}:{slit.name}/{name}"
            fail("E_GEOMETRY", "V18", place, "leaves its mesh")
