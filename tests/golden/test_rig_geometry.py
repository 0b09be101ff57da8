"""The geometry of built rigs: nothing folds, lips and lids close, layers agree, sides are right."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Avatar, Mesh
from avatar_worker.avatars.builder.portrait.shapes import SHAPES
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.shape_weights import Driver
from fakes.portraits import NAMES, built, measured, mesh, moved

Floats = npt.NDArray[np.float64]

SPEECH: dict[str, dict[str, float]] = {
    "rest": {},
    "a": {"jawOpen": 0.8, "mouthLowerDown": 0.27, "mouthUpperUp": 0.17, "mouthStretch": 0.08},
    "e": {"jawOpen": 0.44, "mouthLowerDown": 0.35, "mouthUpperUp": 0.23, "mouthStretch": 0.44},
    "i": {"jawOpen": 0.2, "mouthLowerDown": 0.35, "mouthStretch": 0.6, "mouthSmile": 0.37},
    "m": {"jawOpen": 0.2, "mouthClose": 0.6, "mouthPress": 0.3},
    "f": {"jawOpen": 0.06, "mouthRollLower": 1.0, "mouthUpperUp": 0.37},
    "l": {"jawOpen": 0.36, "mouthLowerDown": 0.23, "mouthUpperUp": 0.2, "tongueUp": 1.0},
    "blink": {"eyeBlink": 1.0},
    "wonder": {"browOuterUp": 0.7, "browInnerUp": 0.7, "eyeWide": 0.5},
}
ROUND: dict[str, dict[str, float]] = {
    "o": {"jawOpen": 0.5, "mouthFunnel": 0.56, "mouthPucker": 0.43},
    "u": {"jawOpen": 0.12, "mouthFunnel": 0.18, "mouthPucker": 0.87},
    "sh": {"jawOpen": 0.14, "mouthFunnel": 0.6, "mouthPucker": 0.3},
    "r": {"jawOpen": 0.24, "mouthFunnel": 0.36, "mouthPucker": 0.3},
}
"""A photo of a broad smile cannot be rounded without pinching its corners: closed lips only."""

CORNERS: dict[str, dict[str, float]] = {
    "yawn": {"jawOpen": 1.0},
    "shout": {
        "jawOpen": 1.0, "mouthLowerDown": 1.0, "mouthUpperUp": 1.0, "mouthStretch": 1.0,
        "mouthSmile": 1.0,
    },
    "round": {"jawOpen": 1.0, "mouthFunnel": 1.0, "mouthPucker": 1.0},
    "bitten": {
        "jawOpen": 1.0, "mouthClose": 1.0, "mouthPress": 1.0, "mouthRollLower": 1.0,
        "mouthRollUpper": 1.0,
    },
    "kiss": {"mouthPucker": 1.0, "mouthPress": 1.0, "mouthRollLower": 1.0},
    "frown": {"eyeBlink": 1.0, "browDown": 1.0, "eyeSquint": 1.0, "mouthFrown": 1.0},
    "stare": {"eyeWide": 1.0, "browOuterUp": 1.0, "browInnerUp": 1.0, "eyeLookUp": 1.0},
    "aside": {"mouthLeft": 1.0, "jawLeft": 1.0, "cheekPuff": 1.0},
    "breath": {"breath": 1.0},
}  # fmt: skip


def controls(pose: dict[str, float]) -> FaceControls:
    """A pose; names without a side stand for both."""
    weights = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, value in pose.items():
        for full in (name,) if name in CONTROL_INDEX else (f"{name}Left", f"{name}Right"):
            weights[CONTROL_INDEX[full]] = value
    return FaceControls(Ticks(0), weights, HeadPose())


def may_show(avatar: Avatar, part: Mesh, layer: str) -> npt.NDArray[np.bool_]:
    """Triangles that are not cut away by their layer's mask."""
    if layer == "skin":
        return np.ones(len(part.tri), bool)
    mask = avatar.layers[f"mask_{layer}"].pixels[..., 0]
    mask = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8)
    corners = part.xy[part.tri]
    points = np.rint(np.concatenate([corners, corners.mean(1, keepdims=True)], 1)).astype(int)
    high, wide = mask.shape
    seen = mask[np.clip(points[..., 1], 0, high - 1), np.clip(points[..., 0], 0, wide - 1)]
    return np.asarray((seen > 8).any(1))


def folded(avatar: Avatar, pose: dict[str, float]) -> list[str]:
    weights = Driver(avatar).drive(controls(pose)).weights.astype(np.float64)
    found = []
    for part in avatar.rig.meshes:
        for layer, delta in zip(part.layers, part.delta, strict=True):
            xy = part.xy + np.tensordot(weights, delta.astype(np.float64), 1)
            a, b, c = np.moveaxis(xy[part.tri], 1, 0)
            area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
            bad = (area <= 0) & may_show(avatar, part, layer)
            if bad.any():
                found.append(f"{part.name}/{layer}: {int(bad.sum())} triangles")
    return found


@pytest.mark.parametrize("pose", [*SPEECH, *ROUND, *CORNERS])
def test_no_triangle_of_the_actor_folds(pose: str) -> None:
    assert folded(built("actor"), {**SPEECH, **ROUND, **CORNERS}[pose]) == []


@pytest.mark.parametrize("pose", list(SPEECH))
def test_no_triangle_of_a_toothy_smile_folds_in_speech(pose: str) -> None:
    assert folded(built("astronaut"), SPEECH[pose]) == []


def lips(name: str, shapes: dict[str, float]) -> tuple[Floats, Floats]:
    """Where both edges of the lips go; the upper one, the lower one. (n, 2) each."""
    m, avatar = measured(name), built(name)
    s = np.linspace(-0.95, 0.95, 39)
    upper, lower = m.mouth.canvas(s, m.mouth.upper(s)), m.mouth.canvas(s, m.mouth.lower(s))
    return moved(avatar, "mouth", 0, shapes, upper), moved(avatar, "mouth", 1, shapes, lower)


def parted(name: str, shapes: dict[str, float]) -> Floats:
    """How far the edges are apart, downwards, pixels."""
    upper, lower = lips(name, {"close": 1.0, **shapes})
    return np.asarray((lower - upper) @ measured(name).mouth.down)


@pytest.mark.parametrize(("name", "near"), [("actor", 0.35), ("astronaut", 0.9)])
def test_lips_meet_at_rest(name: str, near: float) -> None:
    assert np.abs(parted(name, {})).max() < near


@pytest.mark.parametrize("jaw", [0.1, 0.25, 0.4, 0.55])
@pytest.mark.parametrize(("name", "near"), [("actor", 0.35), ("astronaut", 0.9)])
def test_sealed_lips_meet_however_far_the_jaw_is_open(name: str, near: float, jaw: float) -> None:
    opened = parted(name, {"jawOpen": jaw})
    sealed = parted(name, {"jawOpen": jaw, "seal": jaw})
    assert opened.max() > 0.25 * jaw * measured(name).u
    assert np.abs(sealed).max() < near


def test_a_sealed_jaw_still_lowers_the_chin() -> None:
    m, avatar = measured("actor"), built("actor")
    shapes = {"close": 1.0, "jawOpen": 0.4, "seal": 0.4}
    chin = m.chin[None] - [[0.0, 2.0]]
    drop = (moved(avatar, "mouth", 1, shapes, chin) - chin)[0, 1]
    assert 0.09 * m.u < drop < 0.20 * m.u


@pytest.mark.parametrize("name", NAMES)
def test_a_slits_layers_agree_with_the_body_on_its_border(name: str) -> None:
    avatar = built(name)
    high, wide = avatar.canvas.height, avatar.canvas.width
    for part in avatar.rig.meshes[1:]:
        low, far = part.xy.min(0), part.xy.max(0)
        edge = (part.xy == low).any(1) | (part.xy == far).any(1)
        edge &= ((part.xy > 0) & (part.xy < [wide, high])).all(1)
        at = part.xy[edge].astype(np.float64)
        assert len(at) > 20
        for shape in SHAPES:
            body = moved(avatar, "body", 0, {shape: 1.0}, at)
            for layer in (0, 1):
                own = moved(avatar, part.name, layer, {shape: 1.0}, at - 1e-6)
                assert np.abs(own - body).max() < 0.06, (part.name, shape, layer)


@pytest.mark.parametrize("name", NAMES)
def test_both_skins_move_alike_beyond_the_mouths_corners(name: str) -> None:
    """Where the cut's feather dissolves, beside the corners on the seam's line."""
    m, avatar = measured(name), built(name)
    s = np.concatenate([np.linspace(-1.6, -1.12, 9), np.linspace(1.12, 1.6, 9)])
    at = m.mouth.canvas(s, np.zeros_like(s))
    for shape in SHAPES:
        apart = moved(avatar, "mouth", 0, {shape: 1.0}, at) - moved(
            avatar, "mouth", 1, {shape: 1.0}, at
        )
        assert np.abs(apart).max() < 0.012 * m.u, shape


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("side", "lid", "below"), [("l", 386, 374), ("r", 159, 145)])
def test_a_blink_closes_the_subjects_own_eye(name: str, side: str, lid: int, below: int) -> None:
    avatar, m = built(name), measured(name)
    shape = f"blink{side.upper()}"
    edge, rest = m.points[[lid], :2], m.points[[below], :2]
    opening = float((rest - edge)[0] @ m.eyes[side].down)
    drop = (moved(avatar, f"eye_{side}", 0, {shape: 1.0}, edge) - edge)[0] @ m.eyes[side].down
    assert drop > 0.85 * opening
    other = mesh(avatar, f"eye_{'r' if side == 'l' else 'l'}")
    assert np.abs(other.delta[:, SHAPES.index(shape)]).max() < 0.1
    assert m.eyes["l"].centre[0] > m.eyes["r"].centre[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["l", "r"])
def test_a_blink_closes_more_and_more(name: str, side: str) -> None:
    avatar, m = built(name), measured(name)
    eye, s = m.eyes[side], np.linspace(-0.8, 0.8, 17)
    upper, lower = eye.canvas(s, eye.upper(s)), eye.canvas(s, eye.lower(s))
    heights = []
    for weight in np.linspace(0, 1, 11):
        shapes = {f"blink{side.upper()}": float(weight)}
        top = moved(avatar, f"eye_{side}", 0, shapes, upper)
        bottom = moved(avatar, f"eye_{side}", 1, shapes, lower)
        heights.append((bottom - top) @ eye.down)
    steps = np.diff(np.array(heights), axis=0)
    assert (steps < 0).all()
    assert heights[-1].max() < 0.012 * m.u


@pytest.mark.parametrize("name", NAMES)
def test_the_torso_stays_while_the_face_speaks(name: str) -> None:
    avatar, m = built(name), measured(name)
    body = mesh(avatar, "body")
    torso = body.xy[:, 1] > m.chin[1] + 1.15 * m.u
    assert torso.sum() > 100
    for k, shape in enumerate(SHAPES):
        if shape != "breath":
            assert np.abs(body.delta[0, k, torso]).max() < 0.1, shape


@pytest.mark.parametrize("name", NAMES)
def test_shapes_have_their_sides(name: str) -> None:
    avatar, m = built(name), measured(name)
    body = mesh(avatar, "body")
    middle = float(m.mouth.centre[0])
    for shape in ("smile", "frown", "browUp", "browDown", "blink", "eyeWide", "squint"):
        left = np.abs(body.delta[0, SHAPES.index(f"{shape}L")].astype(np.float64)).sum(1)
        right = np.abs(body.delta[0, SHAPES.index(f"{shape}R")].astype(np.float64)).sum(1)
        assert (left @ body.xy[:, 0]) / left.sum() > middle, shape
        assert (right @ body.xy[:, 0]) / right.sum() < middle, shape
