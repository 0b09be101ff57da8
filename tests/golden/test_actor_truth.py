"""The rig moves as a head does: held against renderings of the same actors in the same poses.

Where the landmark net sees the rendered truth is compared with where the rig carries the photo's
own landmarks. The rig's jaw ends where speech does: at weight 1 it is open as wide as the actor's
at .56.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.builder.landmarks import find_faces
from avatar_worker.avatars.builder.portrait.build import build_portrait
from avatar_worker.avatars.judge.poses import Pose, face
from avatar_worker.avatars.judge.regions import carried
from avatar_worker.cli.avatars_stage import RenderStage
from avatar_worker.frames import HeadPose
from fakes.portraits import CREATED, built, photo

Floats = npt.NDArray[np.float64]
TRUTH = Path(__file__).parent / "actor"
SIZE = (512, 640)
JAW = 1 / 0.56

UPPER = (
    61,
    185,
    40,
    39,
    37,
    0,
    267,
    269,
    270,
    409,
    291,
    78,
    191,
    80,
    81,
    82,
    13,
    312,
    311,
    310,
    415,
    308,
)
LOWER = (146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324)  # fmt: skip
UPPER_LIDS = {"l": (398, 384, 385, 386, 387, 388, 466), "r": (246, 161, 160, 159, 158, 157, 173)}

OPEN_A: Pose = {"jawOpen": 0.56 * JAW, "mouthUpperUp": 0.26}
ROUND_O: Pose = {"jawOpen": 0.30 * JAW, "mouthFunnel": 0.55, "mouthPucker": 0.45}
SMILING_E: Pose = {
    "jawOpen": 0.13 * JAW, "mouthSmile": 0.55, "mouthStretch": 0.35, "mouthUpperUp": 0.35,
    "mouthLowerDown": 0.45,
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """An avatar, and how its photo's camera lies to its canvas."""

    stage: RenderStage
    landmarks: Floats
    to_canvas: Floats

    @property
    def avatar(self) -> Avatar:
        return self.stage.avatar

    @property
    def face_width(self) -> float:
        return float(np.ptp(self.landmarks[:468, 0]))


def rendering(name: str) -> npt.NDArray[np.uint8]:
    bgr = cv2.imread(str(TRUTH / f"{name}.webp"), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


def seen(picture: npt.NDArray[np.uint8]) -> Floats:
    return find_faces(picture)[0].landmarks[:, :2].astype(np.float64)


@cache
def actor(name: str) -> Actor:
    """`woman` of the demo's photo; `man` of a neutral one, `smiling man` of his portrait."""
    if name == "woman":
        avatar = built("actor")
        source = np.asarray(
            cv2.resize(photo("actor"), SIZE, interpolation=cv2.INTER_AREA), np.uint8
        )
    else:
        source = rendering("man_closed" if name == "man" else "man_portrait")
        avatar = build_portrait(
            source, avatar_id="man", name="man", consent={"subject": "synthetic"}, created=CREATED
        )
    landmarks = avatar.rig.landmarks[:, :2].astype(np.float64)
    found, _ = cv2.estimateAffinePartial2D(seen(source)[:468], landmarks[:468], method=cv2.LMEDS)
    return Actor(RenderStage(avatar), landmarks, np.asarray(found))


def truth(who: Actor, name: str) -> Floats:
    """Landmarks of a rendering on the avatar's canvas. (478, 2)."""
    return np.asarray(seen(rendering(name)) @ who.to_canvas[:, :2].T + who.to_canvas[:, 2])


def ours(who: Actor, pose: Pose, head: HeadPose | None = None) -> Floats:
    """The photo's landmarks where the rig carries them. (478, 2)."""
    placed = who.stage.placed(face(pose, head))
    meshes = {mesh.name: mesh for mesh in who.avatar.rig.meshes}
    points = carried(meshes["body"], placed["body", "skin"], who.landmarks)
    for mesh, layer, which in (
        ("mouth", "upper", UPPER),
        ("mouth", "lower", LOWER),
        *((f"eye_{side}", "upper", lids) for side, lids in UPPER_LIDS.items()),
    ):
        at = list(which)
        points[at] = carried(meshes[mesh], placed[mesh, layer], who.landmarks[at])
    return points


def away(who: Actor, mine: Floats, there: Floats) -> Floats:
    """Distances of landmarks, of the face's width."""
    return np.asarray(np.linalg.norm(mine - there, axis=-1) / who.face_width)


def aperture(points: Floats) -> float:
    """The open mouth's height, of its width, between the lips."""
    gap = np.linalg.norm(points[14] - points[13])
    return float(gap / np.linalg.norm(points[308] - points[78]))


@pytest.mark.parametrize(
    ("name", "pose", "picture"),
    [
        ("woman", {}, "woman_closed"),
        ("woman", OPEN_A, "woman_open_A"),
        ("man", OPEN_A, "man_open_A"),
        ("man", ROUND_O, "man_round_O"),
        ("man", SMILING_E, "man_E_smile"),
    ],
)
def test_lips_go_where_the_actors_lips_go(name: str, pose: Pose, picture: str) -> None:
    who = actor(name)
    lips = [*UPPER, *LOWER]
    there = truth(who, picture)
    error = away(who, ours(who, pose), there)[lips]
    assert error.mean() < 0.03
    if pose:
        stays = away(who, ours(who, {}), there)[lips]
        assert error.mean() < 0.6 * stays.mean(), "nearer than a mouth that does not move"


@pytest.mark.parametrize(("name", "picture"), [("woman", "woman_open_A"), ("man", "man_open_A")])
def test_a_wide_a_is_as_round_as_the_actors(name: str, picture: str) -> None:
    who = actor(name)
    there = truth(who, picture)
    mine = ours(who, OPEN_A)
    assert aperture(mine) == pytest.approx(aperture(there), rel=0.15)
    drop, wanted = ((points[152] - who.landmarks[152])[1] for points in (mine, there))
    assert drop == pytest.approx(wanted, rel=0.25), "the chin follows by about half"


def test_closed_lips_are_closed() -> None:
    who = actor("woman")
    assert aperture(truth(who, "woman_closed")) < 0.02
    assert aperture(ours(who, {})) < 0.02


@pytest.mark.parametrize(
    ("name", "picture"), [("woman", "woman_blink"), ("smiling man", "man_blink")]
)
def test_a_closed_lid_lies_where_the_actors_lies(name: str, picture: str) -> None:
    who = actor(name)
    there, mine, rest = truth(who, picture), ours(who, {"eyeBlink": 1.0}), ours(who, {})
    for lids in UPPER_LIDS.values():
        at = list(lids)
        assert away(who, mine, there)[at].mean() < 0.03
        assert away(who, mine, there)[at].mean() < 0.75 * away(who, rest, there)[at].mean()


@pytest.mark.parametrize(
    ("name", "yaw", "picture"),
    [
        ("woman", 10.0, "woman_yaw_right"),
        ("smiling man", 10.0, "man_yaw_right"),
        ("smiling man", -10.0, "man_yaw_left"),
    ],
)
def test_a_turned_head_is_where_the_actors_is(name: str, yaw: float, picture: str) -> None:
    who = actor(name)
    error = away(who, ours(who, {}, HeadPose(yaw=yaw)), truth(who, picture))[:468]
    assert error.mean() < 0.02
    assert np.percentile(error, 90) < 0.03


def boxes(who: Actor) -> dict[str, tuple[slice, slice]]:
    """Where the turned woman's ears and hair are: rows and columns."""
    u, at = who.avatar.subject.iod_px, who.landmarks

    def box(left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        return slice(max(0, int(top)), int(bottom)), slice(max(0, int(left)), int(right))

    near, far, top = at[234], at[454], at[10, 1]
    return {
        "near ear": box(
            near[0] - 0.35 * u, near[0] + 0.1 * u, near[1] - 0.4 * u, near[1] + 0.5 * u
        ),
        "far ear": box(far[0] - 0.1 * u, far[0] + 0.4 * u, far[1] - 0.4 * u, far[1] + 0.5 * u),
        "hair": box(near[0] - 0.2 * u, far[0] + 0.3 * u, top - 0.9 * u, top - 0.1 * u),
    }


@pytest.mark.parametrize(("part", "levels"), [("near ear", 12.5), ("far ear", 10.5), ("hair", 8.0)])
def test_ears_and_hair_turn_with_the_head_as_the_actors_do(part: str, levels: float) -> None:
    """Colours, because no landmark lies there. Mean difference, of 255 levels."""
    who = actor("woman")
    where = boxes(who)[part]
    there = cv2.warpAffine(rendering("woman_yaw_right"), who.to_canvas, SIZE)[where].astype(float)
    turned, rest = (
        np.abs(who.stage.picture(face({}, HeadPose(yaw=yaw)))[where] - there).mean()
        for yaw in (10.0, 0.0)
    )
    assert turned < levels
    assert turned < 0.8 * rest


def test_a_head_that_turns_the_other_way_is_noticed() -> None:
    who = actor("woman")
    error = away(who, ours(who, {}, HeadPose(yaw=-10.0)), truth(who, "woman_yaw_right"))[:468]
    assert error.mean() > 0.1
