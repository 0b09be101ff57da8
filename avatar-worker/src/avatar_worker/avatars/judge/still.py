"""Criteria 2, 3, 4, 6, 9 and 10: what must not move, what must move evenly, what must not fold."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Final

import cv2
import numpy as np

from avatar_worker.avatars.avatar import Avatar, Mesh
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose

from .finding import Finding
from .poses import EXPRESSIONS, EXTREMES, VISEMES, Pose, blend, face
from .regions import Flags, background, carried, hull, luma, slit_area, upper_face, widened
from .stage import Floats, Stage

TALK: Final = ("MBP", "A", "S", "O", "L", "I", "FV", "E", "U", "K", "MBP")
FRAMES_A_SOUND: Final = 3
STEADY_STEPS: Final = 41
SHOWS: Final = 8
"""A mask below this, of 255, hides its triangle."""

MOUTH_CONTROLS: Final = tuple(
    name for name in CONTROL_NAMES if name.startswith(("jaw", "mouth")) and name != "jawForward"
)
YAWS: Final = (-8.0, -4.0, 0.0, 4.0, 8.0)
NOSE, EARS, BROW, CHIN = 1, (234, 454), 10, 152
NECK_U: Final = 0.60
"""So far below the chin skin may go along with the jaw."""


def background_stays(stage: Stage) -> list[Finding]:
    """Criterion 2: whatever the face does, what is far from the person stays.

    Where the head turns, as far as it carries any vertex is still the person's.
    """
    avatar = stage.avatar
    if not background(avatar).any():
        return [Finding(2, "background: largest change", float("nan"), None, 0.0, "levels")]
    rest = stage.picture(face({})).astype(int)
    faces = reaching_faces(avatar)
    change, worst = 0, ""
    for name, controls in faces.items():
        area = untouched(stage, controls)
        if not area.any():
            continue
        most = int(np.abs(stage.picture(controls).astype(int) - rest)[area].max())
        if most > change:
            change, worst = most, name
    return [Finding(2, "background: largest change", float(change), None, 0.0, "levels", worst)]


def reaching_faces(avatar: Avatar) -> dict[str, FaceControls]:
    """Return the faces at which something could get into the background, by name."""
    yaw, pitch, roll = avatar.subject.pose_limit_deg
    faces = {name: face(pose) for name, pose in {**VISEMES, **EXTREMES}.items()}
    faces["turned"] = face({}, HeadPose(yaw=yaw, pitch=-pitch, roll=roll))
    faces["bowed"] = face({}, HeadPose(yaw=-yaw, pitch=pitch, roll=-roll))
    return faces


def untouched(stage: Stage, controls: FaceControls) -> Flags:
    """Where nobody has any business at a face: far from the person, farther if it turns. (H, W)."""
    return background(stage.avatar, _farthest(stage, controls) if controls.head.yaw else 0.0)


def _farthest(stage: Stage, controls: FaceControls) -> float:
    """The longest way that a vertex of the body goes, pixels."""
    body = next(m for m in stage.avatar.rig.meshes if m.layers == ("skin",))
    way = stage.placed(controls)[body.name, "skin"] - body.xy
    return float(np.linalg.norm(way, axis=1).max())


def body_stays(stage: Stage) -> list[Finding]:
    """Criterion 3: while only the mouth speaks, the body and the rest of the face stand still."""
    shown = [luma(stage.picture(face(pose, number=i))) for i, pose in enumerate(_talk())]
    films = np.stack(shown).astype(np.float32)
    second = np.abs(films[2:] - 2 * films[1:-1] + films[:-2])
    body = second[:, body_from(stage.avatar) :]
    bottom = float(body.mean()) if body.size else float("nan")
    hot = np.percentile(second, 99, axis=0)
    elsewhere = hot[~_speaking_area(stage.avatar)]
    most = float(elsewhere.max()) if elsewhere.size else 0.0
    return [
        Finding(3, "speech: motion of the bottom quarter", bottom, None, 0.3, "levels"),
        Finding(3, "speech: hottest pixel off the face", most, None, 6.0, "levels"),
    ]


def body_from(avatar: Avatar) -> int:
    """The row from which on the picture shows no neck that the jaw takes along.

    It is that of the bottom quarter, unless the chin comes near it in a tight portrait.
    """
    chin = float(avatar.rig.landmarks[CHIN, 1])
    below_neck = chin + NECK_U * avatar.subject.iod_px
    return min(avatar.canvas.height, round(max(0.75 * avatar.canvas.height, below_neck)))


def motion_is_even(stage: Stage) -> list[Finding]:
    """Criterion 4, without a clip to compare with: a slow opening changes the picture evenly."""
    faces = [face(blend({}, VISEMES["A"], w)) for w in np.linspace(0, 1, STEADY_STEPS)]
    area = widened(slit_area(stage.avatar, "mouth"), 0.5 * stage.avatar.subject.iod_px)
    films = np.stack([luma(stage.picture(controls))[area] for controls in faces])
    steps = np.abs(np.diff(films, axis=0)).mean(1)
    twice = np.abs(stage.picture(faces[9]).astype(int) - stage.picture(faces[9])).max()
    return [
        Finding(4, "mouth: largest step of a slow opening, of the middle one",
                float(steps.max() / max(float(np.median(steps)), 1e-6)), None, 2.0),
        Finding(4, "mouth: the same face twice differs", float(twice), None, 0.0, "levels"),
    ]  # fmt: skip


def upper_face_is_the_photo(stage: Stage) -> list[Finding]:
    """Criterion 6: at rest the upper face is the person's, the eyes left out (no photo is kept)."""
    avatar = stage.avatar
    skin, plate = (avatar.layers[role].pixels.astype(np.float64) for role in ("skin", "plate"))
    share = skin[..., 3:] / 255 if skin.shape[2] == 4 else np.ones((*skin.shape[:2], 1))
    photo = plate[..., :3] * (1 - share) + skin[..., :3] * share
    area = upper_face(avatar)
    for side in ("l", "r"):
        area &= ~slit_area(avatar, f"lid_{side}", 0.03)
    away = luma(stage.picture(face({})))[area] - photo[area] @ np.array([0.299, 0.587, 0.114])
    error = float((away**2).mean()) if away.size else 0.0
    psnr = float(min(99.0, 10 * np.log10(255**2 / max(error, 1e-9))))
    return [Finding(6, "rest: upper face like the photo", psnr, 35.0, None, "dB")]


def nothing_folds(stage: Stage) -> list[Finding]:
    """Criterion 9: no visible triangle turns over, in speech and at the corners of the box."""
    speech = {**VISEMES, **EXPRESSIONS}
    corners: dict[str, Pose] = dict(EXTREMES)
    corners |= {name: {name: 1.0} for name in CONTROL_NAMES}
    corners |= {f"{a} + {b}": {a: 1.0, b: 1.0} for a, b in combinations(MOUTH_CONTROLS, 2)}
    found = []
    for what, poses in (("speech", speech), ("corners of the box", corners)):
        counts = {name: _folded(stage, pose) for name, pose in poses.items()}
        worst = max(counts, key=lambda name: counts[name])
        bad = sum(count > 0 for count in counts.values())
        note = f"{worst}; {bad} of {len(counts)} poses" if counts[worst] else ""
        found.append(
            Finding(9, f"folded triangles, {what}", float(counts[worst]), None, 0.0, "", note)
        )
    return found


def head_turns(stage: Stage) -> list[Finding]:
    """Criterion 10: the nose crosses the face steadily, as far to one side as to the other."""
    ratios = [_nose_ratio(stage, HeadPose(yaw=yaw)) for yaw in YAWS]
    steps = np.diff(ratios)
    to_left, to_right = ratios[2] - ratios[0], ratios[4] - ratios[2]
    even = abs(abs(to_right) / max(abs(to_left), 1e-9) - 1)
    heights = [_nose_height(stage, HeadPose(pitch=pitch)) for pitch in YAWS]
    bows = np.diff(heights)
    return [
        Finding(10, "yaw: smallest step of the nose", float(steps.min()), 0.002),
        Finding(10, "yaw: both sides differ", float(even), None, 0.15),
        Finding(10, "pitch: smallest step of the nose", float(bows.min()), 0.002),
    ]


def _talk() -> list[Pose]:
    """A row of sounds, a few pictures each, blended as a mouth moves."""
    rows: list[Pose] = []
    for first, second in pairwise(TALK):
        for i in range(FRAMES_A_SOUND):
            share = (1 - np.cos(np.pi * i / FRAMES_A_SOUND)) / 2
            rows.append(blend(VISEMES[first], VISEMES[second], float(share)))
    return rows


def _speaking_area(avatar: Avatar) -> Flags:
    """Face and throat: what may move while somebody speaks."""
    u = avatar.subject.iod_px
    area = hull(avatar, 0.25)
    down = round(0.75 * u)
    throat = np.zeros_like(area)
    throat[down:] = area[:-down]
    return np.asarray(area | throat)


def _folded(stage: Stage, pose: Pose) -> int:
    """How many triangles that may be seen lie on their back."""
    placed = stage.placed(face(pose))
    count = 0
    for mesh in stage.avatar.rig.meshes:
        for layer in mesh.layers:
            a, b, c = np.moveaxis(placed[mesh.name, layer][mesh.tri], 1, 0)
            area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
            bad = area <= 0
            if bad.any():
                seen = _may_show(stage.avatar, mesh, layer) & ~_hidden(stage.avatar, mesh)
                count += int((bad & seen).sum())
    return count


def _hidden(avatar: Avatar, mesh: Mesh) -> Flags:
    """Which triangles lie wholly under a slit's own mesh that is drawn later. (T,)."""
    hidden = np.zeros(len(mesh.tri), bool)
    corners = mesh.xy[mesh.tri]
    names = [other.name for other in avatar.rig.meshes]
    for slit in avatar.rig.meshes[names.index(mesh.name) + 1 :]:
        if slit.layers != ("skin",):
            within = (corners >= slit.xy.min(0)) & (corners <= slit.xy.max(0))
            hidden |= within.all((1, 2))
    return hidden


def _may_show(avatar: Avatar, mesh: Mesh, layer: str) -> Flags:
    """Which triangles their layer's mask does not cut away. (T,)."""
    mask_layer = avatar.layers.get(f"mask_{layer}")
    if mask_layer is None:
        return np.ones(len(mesh.tri), bool)
    mask = np.asarray(cv2.dilate(mask_layer.pixels[..., 0], np.ones((3, 3), np.uint8)))
    corners = mesh.xy[mesh.tri]
    points = np.rint(np.concatenate([corners, corners.mean(1, keepdims=True)], 1)).astype(int)
    high, wide = mask.shape
    seen = mask[np.clip(points[..., 1], 0, high - 1), np.clip(points[..., 0], 0, wide - 1)]
    return np.asarray((seen > SHOWS).any(1))


def _landmarks(stage: Stage, head: HeadPose, which: tuple[int, ...]) -> Floats:
    body = next(m for m in stage.avatar.rig.meshes if m.layers == ("skin",))
    points = stage.avatar.rig.landmarks[list(which), :2].astype(np.float64)
    return carried(body, stage.placed(face({}, head))[body.name, "skin"], points)


def _nose_ratio(stage: Stage, head: HeadPose) -> float:
    """Where the nose's tip lies between the cheeks, 0 at image left."""
    nose, left, right = _landmarks(stage, head, (NOSE, *EARS))
    return float((nose[0] - left[0]) / (right[0] - left[0]))


def _nose_height(stage: Stage, head: HeadPose) -> float:
    """Where the nose's tip lies between hairline and chin, 0 at the hairline."""
    nose, top, chin = _landmarks(stage, head, (NOSE, BROW, CHIN))
    return float((nose[1] - top[1]) / (chin[1] - top[1]))
