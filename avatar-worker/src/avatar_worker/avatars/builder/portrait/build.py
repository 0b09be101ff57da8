"""Build a portrait avatar from one photo."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Avatar, Canvas, Layer, Mesh, Rig, Slit, Subject
from avatar_worker.avatars.builder.background import Background, with_background
from avatar_worker.avatars.builder.crop import CroppedPortrait, crop_to_canvas
from avatar_worker.avatars.builder.glasses import WEARS, glasses_score
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.matte import person_matte
from avatar_worker.avatars.builder.quality import check_crop, check_photo, choose_face
from avatar_worker.avatars.builder.scores import scores
from avatar_worker.version import __version__

from .arkit import UNDER_GLASSES, arkit_to_shape, box_weights
from .depth import Depth, estimate_depth
from .eye_shapes import blink_px
from .eyeball import eye_layers
from .folds import fold_layers
from .frame import levelled, stiffened
from .interior import interior_numbers, mouth_layers
from .lids import lid_layer
from .measures import EYES, Measures, measure
from .mesh import build_meshes
from .shapes import SHAPES
from .slit import Array, Opening
from .textures import masks, plate, skin
from .tone import photo_tone
from .unfold import unfolded

POSE_LIMIT_DEG: Final = (10.0, 8.0, 6.0)
MOUTH_INNER: Final = ("cavity", "tongue", "teeth_lower", "teeth_upper")
SEAM_POINTS: Final = 21
SAME_FACE: Final = 0.25
"""A face on the canvas is the chosen one if its middle is off by less of its width."""

IDLE: Final[dict[str, Any]] = {
    "style": "calm",
    "seed": 7,
    "blink_per_min": 17.0,
    "breath_per_min": 14.0,
    "sway_deg": {"yaw": 1.2, "pitch": 0.8, "roll": 0.6},
}
PRIVATE: Final[dict[str, Any]] = {
    "spdx": "LicenseRef-Private",
    "url": "",
    "authors": [],
    "credit": "unnecessary",
    "commercial_use": False,
    "redistribution": False,
    "modification": "denied",
    "deny": ["impersonation", "political", "sexual", "violent"],
}
DISCLOSURE: Final[dict[str, Any]] = {
    "label": {"en": "AI-generated avatar", "de": "KI-generierter Avatar"},
    "show": "start",
}


def build_portrait(
    rgb: npt.NDArray[np.uint8],
    *,
    avatar_id: str,
    name: str,
    consent: Mapping[str, Any],
    licence: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    source_type: str = "digitalCapture",
    canvas: tuple[int, int] = (512, 640),
    fps: int = 25,
    background: Background | None = None,
    created: str | None = None,
    progress: Callable[[str, float], None] | None = None,
    warn: Callable[[str], None] | None = None,
    report: Callable[[Mapping[str, float]], None] | None = None,
) -> Avatar:
    """Make an avatar that the writer accepts.

    Args:
        rgb: The photo: one person who looks at the camera. uint8, (h, w, 3).
        avatar_id: The id it will be served under.
        name: Shown to people.
        consent: The manifest's block: who is shown.
        licence: The manifest's block: who may do what; by default nobody but the operator.
        provenance: The manifest's block; by default it names this tool and the photo's pixels.
        source_type: How the photo came about, for the default provenance: an IPTC NewsCode.
        canvas: Width and height of the picture, pixels, even.
        fps: Frames per second.
        background: What lies behind the person; by default what the photo shows.
        created: UTC, `2026-11-22T10:00:00Z`; now by default. Given, the same photo makes the
            same file.
        progress: Told what is being done, and which share of the work is done before it.
        warn: Told, in a sentence, what will look worse than it could.
        report: Told what an accepted photo was judged by: `scores`.

    Raises:
        AvatarRefusedError: If the photo cannot make an avatar; the sentence says what to change.
    """
    tell = progress or (lambda step, share: None)
    complain = warn or (lambda sentence: None)
    size = Canvas(canvas[0], canvas[1], fps, "bt601", "limited")
    tell("find the face", 0.0)
    face = choose_face(find_faces(rgb))
    for sentence in check_photo(rgb, face):
        complain(sentence)
    if report is not None:
        report(scores(rgb, face))
    tell("crop", 0.15)
    portrait = crop_to_canvas(rgb, face, size)
    for sentence in check_crop(portrait):
        complain(sentence)
    face = _again(face, portrait)
    tell("cut the person out", 0.25)
    alpha, foreground = person_matte(portrait.rgb, face.landmarks)
    tell("build the rig", 0.75)
    m = measure(face.landmarks.astype(np.float64), size.width, size.height)
    depth = estimate_depth(m, alpha)
    worn = glasses_score(portrait.rgb, face) >= WEARS
    matrix = arkit_to_shape(m, brows=UNDER_GLASSES if worn else 1.0)
    meshes = build_meshes(m, levelled(m, depth) if worn else depth, size.width, size.height)
    if worn:
        meshes = stiffened(m, meshes)
    cuts = masks(m, size.width, size.height, meshes)
    rig = Rig(
        shapes=SHAPES,
        arkit_to_shape=matrix,
        landmarks=face.landmarks.astype(np.float32),
        meshes=unfolded(meshes, cuts, box_weights(matrix)),
        slits=_slits(m),
    )
    tell("paint the layers", 0.85)
    layers = _layers(portrait.rgb, alpha, foreground, m, rig.meshes)
    layers[0] = with_background(layers[0], background or Background(), m.u)
    tell("done", 1.0)
    return Avatar(
        id=avatar_id,
        content_id="",
        manifest={
            "name": name,
            "created": created or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "idle": IDLE,
            "licence": dict(PRIVATE if licence is None else licence),
            "consent": dict(consent),
            "provenance": dict(provenance or _provenance(rgb, source_type)),
            "disclosure": DISCLOSURE,
            "ext": {},
            "rig": {"interior": interior_numbers(m)},
        },
        canvas=size,
        subject=_subject(m, depth),
        rig=rig,
        layers={layer.role: layer for layer in layers},
    )


def _again(face: Face, portrait: CroppedPortrait) -> Face:
    """Measure the chosen face on the canvas, where all geometry lives.

    The canvas may show others, who are background; should it show none, the photo's points do.
    """
    moved = replace(face, landmarks=portrait.to_canvas(face.landmarks))
    for found in find_faces(portrait.rgb):
        if math.dist(found.centre, moved.centre) < SAME_FACE * moved.width:
            return found
    return moved


def _provenance(rgb: npt.NDArray[np.uint8], source_type: str) -> dict[str, Any]:
    height, width = rgb.shape[:2]
    pixels = hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest()
    kind = "render" if source_type == "algorithmicMedia" else "photo"
    return {
        "tool": {"name": "avatar-worker", "version": __version__},
        "digital_source_type": source_type,
        "ai_edits": ["matting", "inpainting"],
        "sources": [{"kind": kind, "sha256": pixels, "size": [width, height]}],
    }


def _layers(
    rgb: npt.NDArray[np.uint8],
    alpha: npt.NDArray[np.float32],
    foreground: npt.NDArray[np.uint8],
    m: Measures,
    meshes: Sequence[Mesh],
) -> list[Layer]:
    height, width = alpha.shape
    layers = [
        skin(rgb, alpha, foreground, m),
        *masks(m, width, height, meshes),
        *mouth_layers(rgb, m),
    ]
    for side in EYES:
        layers += [*eye_layers(rgb, m, side), lid_layer(rgb, m, side)]
    tone = photo_tone(rgb, m)
    return [plate(rgb, alpha, m.u), *map(tone.over, [*layers, *fold_layers(rgb, m)])]


def _subject(m: Measures, depth: Depth) -> Subject:
    return Subject(
        iod_px=m.u,
        mouth_width_px=2 * m.mouth.half_width,
        neck_pivot_px=depth.pivot,
        focal_px=depth.focal_px,
        pose_limit_deg=POSE_LIMIT_DEG,
    )


def _slits(m: Measures) -> tuple[Slit, ...]:
    s = np.linspace(-1, 1, SEAM_POINTS)
    mouth = _slit("mouth", "mouth", m.mouth, m.seam(s), MOUTH_INNER)
    lids = tuple(
        _slit(
            f"lid_{side}",
            f"eye_{side}",
            m.eyes[side],
            m.eyes[side].upper(s) + blink_px(m, side, s),
            (f"eye_{side}", f"iris_{side}", f"glint_{side}"),
        )
        for side in EYES
    )
    return (mouth, *lids)


def _slit(name: str, mesh: str, opening: Opening, seam: Array, inner: tuple[str, ...]) -> Slit:
    s = np.linspace(-1, 1, SEAM_POINTS)
    upper = opening.canvas(s, opening.upper(s))
    lower = opening.canvas(s, opening.lower(s))
    return Slit(
        name=name,
        mesh=mesh,
        contour=np.concatenate([upper, lower[-2:0:-1]]).astype(np.float32),
        seam=opening.canvas(s, seam).astype(np.float32),
        inner=inner,
    )
