"""Rule V29: at rest and at the corners of the control box nothing folds and the background stays.

Judged by geometry alone, without a renderer: one that is compiled first would take longer than
reading and building an avatar together, wherever it has not been used before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarCorruptError

if TYPE_CHECKING:
    from avatar_worker.avatars import Avatar, Mesh
    from avatar_worker.avatars.judge import Finding

    from .avatars_stage import RenderStage

STILL_PX: Final = 1e-3
SEEN: Final = 5.5
"""Alpha, of 255, above which a pixel is the person's and not the matte's haze (`regions.background`)."""


def check_rig(avatar: Avatar) -> None:
    """Move an avatar to its extremes and look for what no reader sees in a file.

    Raises:
        AvatarCorruptError: `E_RIG` (V29), with the face at which it was found.
    """
    from avatar_worker.avatars.judge.still import nothing_folds

    from .avatars_stage import RenderStage

    stage = RenderStage(avatar, "reference")
    try:
        found = [*nothing_folds(stage), background_reached(stage)]
    finally:
        stage.close()
    for finding in found:
        if not finding.ok:
            raise AvatarCorruptError(avatar.id, "E_RIG", "V29", finding.what, _sentence(finding))


def background_reached(stage: RenderStage) -> Finding:
    """Count the pixels of the background that anything of the person is moved to.

    Args:
        stage: What places the vertices.
    """
    from avatar_worker.avatars.judge import Finding
    from avatar_worker.avatars.judge.regions import layer_plane
    from avatar_worker.avatars.judge.still import reaching_faces, untouched

    avatar = stage.avatar
    if avatar.layers["skin"].pixels.shape[2] < 4:
        return Finding(2, "background: pixels reached", float("nan"), None, 0.0)
    alpha = layer_plane(avatar, "skin", 3)
    most, worst = 0, ""
    for name, controls in reaching_faces(avatar).items():
        area = untouched(stage, controls)
        placed = stage.placed(controls)
        count = sum(
            _reached(mesh, placed[mesh.name, layer], area, alpha)
            for mesh in avatar.rig.meshes
            for layer in mesh.layers
            if (mesh.name, layer) in placed
        )
        if count > most:
            most, worst = count, name
    return Finding(2, "background: pixels reached", float(most), None, 0.0, "", worst)


def _reached(
    mesh: Mesh,
    xy: npt.NDArray[np.float64],
    area: npt.NDArray[np.bool_],
    alpha: npt.NDArray[np.float64],
) -> int:
    """How many pixels of `area` a mesh at `xy` (V, 2) covers with something to be seen."""
    from .avatars_stage import between, texture_map

    corners, sources = xy[mesh.tri], mesh.xy[mesh.tri].astype(np.float64)
    moves = (np.abs(corners - sources) > STILL_PX).any(axis=(1, 2))
    # Few triangles both show something and come near: the others need not be traced.
    near = moves & _holds(alpha > SEEN, sources) & _holds(area, corners)
    if not near.any():
        return 0
    where = texture_map(replace(mesh, tri=mesh.tri[near]), xy, area.shape)
    seen = between(np.rint(alpha).astype(np.uint8), where)
    return int((area & (seen > SEEN)).sum())


def _holds(area: npt.NDArray[np.bool_], corners: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Whether the box around each triangle (T, 3, 2), a pixel wider, has some of `area`. (T,)."""
    height, width = area.shape
    sums = cv2.integral(area.astype(np.uint8))
    low = np.floor(corners.min(1)) - 1
    high = np.ceil(corners.max(1)) + 2
    left, right = (np.clip(v[:, 0], 0, width).astype(int) for v in (low, high))
    top, bottom = (np.clip(v[:, 1], 0, height).astype(int) for v in (low, high))
    count = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(count > 0)


def _sentence(finding: Finding) -> str:
    return f"{finding.what}: {finding.value:g} {finding.unit}".rstrip() + f" ({finding.note})"
