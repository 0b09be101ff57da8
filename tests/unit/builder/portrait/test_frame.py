"""A frame does not bend: brows and cheeks leave it alone, and it turns as one piece."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.portrait.depth import Depth, estimate_depth
from avatar_worker.avatars.builder.portrait.frame import levelled, stiffened, stiffness
from avatar_worker.avatars.builder.portrait.mesh import build_meshes
from avatar_worker.avatars.builder.portrait.shapes import SHAPES
from fakes.portraits import NAMES, built, measured, mesh

Floats = npt.NDArray[np.float64]


def rims(name: str) -> Floats:
    """Points around both eyes where rims of usual glasses run. (n, 2)."""
    m = measured(name)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = np.stack([0.42 * np.cos(turn), 0.05 + 0.30 * np.sin(turn)], -1) * m.u
    return np.concatenate([m.points[eye, :2] + ring for eye in (468, 473)])


def depth_of(name: str) -> Depth:
    alpha = built(name).layers["skin"].pixels[..., 3].astype(np.float32) / 255
    return estimate_depth(measured(name), alpha)


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_is_stiff_where_it_runs_and_nowhere_else(name: str) -> None:
    m = measured(name)
    assert stiffness(m, rims(name)).min() > 0.95
    away = m.points[[13, 152, 61, 291], :2]
    np.testing.assert_array_equal(stiffness(m, away), 0)
    forehead = m.points[[10], :2]
    assert stiffness(m, forehead)[0] == 0


@pytest.mark.parametrize("degrees", [-15.0, 15.0])
def test_it_tilts_with_the_head(degrees: float) -> None:
    m = measured("actor")
    middle = m.points[[468, 473], :2].mean(0)
    turn = cv2.getRotationMatrix2D(tuple(middle.tolist()), degrees, 1.0)
    points = m.points.copy()
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    tilted = type(m)(**{field: getattr(m, field) for field in m.__slots__} | {"points": points})
    at = rims("actor") @ turn[:, :2].T + turn[:, 2]
    np.testing.assert_allclose(stiffness(tilted, at), stiffness(m, rims("actor")), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", ["browUpL", "browDownR", "browInnerUp", "smileL", "smileR"])
def test_brows_and_cheeks_do_not_move_a_frame(name: str, shape: str) -> None:
    m, avatar = measured(name), built(name)
    bare, worn = mesh(avatar, "body"), stiffened(m, [mesh(avatar, "body")])[0]
    index = SHAPES.index(shape)
    under = stiffness(m, bare.xy.astype(np.float64)) > 0.95
    assert under.sum() > 50
    before = np.linalg.norm(bare.delta[0, index, under].astype(float), axis=1).max()
    after = np.linalg.norm(worn.delta[0, index, under].astype(float), axis=1).max()
    assert before > 0.01 * m.u
    assert after < 0.06 * before


@pytest.mark.parametrize("shape", ["blinkL", "blinkR", "squintL", "eyeWideR", "close", "breath"])
def test_lids_move_inside_a_frame_as_ever(shape: str) -> None:
    avatar = built("actor")
    index = SHAPES.index(shape)
    for bare, worn in zip(
        avatar.rig.meshes, stiffened(measured("actor"), avatar.rig.meshes), strict=True
    ):
        np.testing.assert_array_equal(bare.delta[:, index], worn.delta[:, index])


def test_the_mouth_speaks_as_ever() -> None:
    avatar, m = built("actor"), measured("actor")
    bare, worn = mesh(avatar, "body"), stiffened(m, [mesh(avatar, "body")])[0]
    near = np.linalg.norm(bare.xy - m.mouth.centre, axis=1) < 0.4 * m.u
    np.testing.assert_array_equal(bare.delta[:, :, near], worn.delta[:, :, near])


@pytest.mark.parametrize("name", NAMES)
def test_depth_under_a_frame_is_a_smooth_curve(name: str) -> None:
    """Second differences along the rims, where brows and cheeks had made hills."""
    m, depth = measured(name), depth_of(name)
    level = levelled(m, depth)
    at = rims(name)[:48]
    bumps = [
        float(np.abs(np.diff(d.at(at), n=4, append=d.at(at)[:4])).mean()) for d in (depth, level)
    ]
    assert bumps[1] < 0.5 * bumps[0]


@pytest.mark.parametrize("name", NAMES)
def test_depth_stays_away_from_a_frame_and_is_level_with_it(name: str) -> None:
    m, depth = measured(name), depth_of(name)
    level = levelled(m, depth)
    away = m.points[[13, 152, 10], :2]
    np.testing.assert_allclose(level.at(away), depth.at(away), atol=0.01 * m.u)
    middle = [d.at(rims(name)).mean() for d in (depth, level)]
    assert abs(middle[1] - middle[0]) < 0.08 * m.u


def test_nothing_tears_where_meshes_meet() -> None:
    """A slit's mesh ends in the body's: on its border both say the same."""
    m = measured("actor")
    avatar = built("actor")
    meshes = stiffened(m, build_meshes(m, levelled(m, depth_of("actor")), 512, 640))
    body = meshes[0]
    columns = {(float(x), float(y)): i for i, (x, y) in enumerate(body.xy)}
    assert len(meshes) == len(avatar.rig.meshes)
    for part in meshes[1:]:
        low, high = part.xy.min(0), part.xy.max(0)
        border = ((part.xy == low) | (part.xy == high)).any(1)
        shared = [
            (i, columns[float(x), float(y)])
            for i, (x, y) in enumerate(part.xy)
            if border[i] and (float(x), float(y)) in columns
        ]
        assert len(shared) > 10
        own, theirs = (list(index) for index in zip(*shared, strict=True))
        np.testing.assert_allclose(
            part.delta[0][:, own].astype(float), body.delta[0][:, theirs].astype(float), atol=0.06
        )
