"""`avatars preview`: what an avatar can do, as a sheet of stills or a short film."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from avatar_worker.avatars import Avatar
    from avatar_worker.frames import FaceControls

COLUMNS: Final = 6
TILE_HEIGHT: Final = 320
LABEL_HEIGHT: Final = 22
CLIP_SECONDS: Final = 5
TALK_SECONDS: Final = 2.6
SOUND_SECONDS: Final = 0.16
TALK: Final = (
    "MBP", "A", "S", "O", "L", "I", "FV", "E", "MBP", "U", "K", "A", "TH", "R", "SH", "MBP",
)  # fmt: skip


def preview(
    avatar: Annotated[str, typer.Argument(help="An id, or the path of a .hvia file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A sheet, .png, or with --clip .mp4.")],
    clip: Annotated[
        bool, typer.Option("--clip", help="A film of 5 s without sound instead of a sheet.")
    ] = False,
) -> None:
    """Show the sounds of speech, a blink, a smile, turns of the head and the gaze.

    For a film in which the avatar says something, use `avatar-worker render`.
    """
    from avatar_worker.config import read_settings
    from avatar_worker.errors import ConfigError

    from .named import open_avatar

    suffix = ".mp4" if clip else ".png"
    if out.suffix.lower() != suffix:
        raise ConfigError(f"{out} should end in {suffix}")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}")
    opened = open_avatar(avatar, read_settings().avatars)
    if clip:
        _film(opened, out)
    else:
        import cv2

        done, content = cv2.imencode(".png", sheet(opened)[:, :, ::-1])
        if not done:
            raise ConfigError(f"{out} cannot be written")
        out.write_bytes(content.tobytes())
    typer.echo(f"wrote {out}")


def stills() -> dict[str, FaceControls]:
    """Return the faces of a sheet by their captions."""
    from avatar_worker.avatars.judge.poses import EXPRESSIONS, REST, VISEMES, face
    from avatar_worker.frames import HeadPose

    turns = {
        "turned left": HeadPose(yaw=8.0),
        "turned right": HeadPose(yaw=-8.0),
        "bowed": HeadPose(pitch=6.0),
        "raised": HeadPose(pitch=-6.0),
        "tilted": HeadPose(roll=5.0),
    }
    poses = {"rest": REST, **VISEMES, **EXPRESSIONS}
    return {name: face(pose) for name, pose in poses.items()} | {
        name: face(REST, head) for name, head in turns.items()
    }


def sheet(avatar: Avatar) -> npt.NDArray[np.uint8]:
    """Draw every still beside the others, with captions. uint8, (h, w, 3), RGB."""
    import cv2
    import numpy as np

    from .avatars_stage import RenderStage

    stage = RenderStage(avatar)
    tiles = []
    for name, face in stills().items():
        picture = stage.picture(face)
        width = round(TILE_HEIGHT * picture.shape[1] / picture.shape[0])
        tile = np.full((TILE_HEIGHT + LABEL_HEIGHT, width, 3), 24, np.uint8)
        tile[LABEL_HEIGHT:] = cv2.resize(
            picture, (width, TILE_HEIGHT), interpolation=cv2.INTER_AREA
        )
        where = (6, LABEL_HEIGHT - 7)
        cv2.putText(
            tile, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA
        )
        tiles.append(tile)
    stage.close()
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def film(fps: int) -> list[FaceControls]:
    """Return the faces of the film: it talks, blinks, smiles, looks aside and turns."""
    from avatar_worker.avatars.judge.poses import REST, VISEMES, Pose, blend, face
    from avatar_worker.frames import HeadPose

    def talking(time: float) -> Pose:
        place = time / SOUND_SECONDS
        first, second = list(pairwise((*TALK, TALK[0])))[int(place) % len(TALK)]
        share = (1 - math.cos(math.pi * (place % 1))) / 2
        spoken = blend(VISEMES[first], VISEMES[second], share)
        # Begins from rest and ends in it.
        return blend(REST, spoken, _bump(time, 0.0, TALK_SECONDS, 0.15))

    faces = []
    for number in range(CLIP_SECONDS * fps):
        time = number / fps
        pose = dict(talking(time)) if time < TALK_SECONDS else {}
        pose["eyeBlink"] = max(_bump(time, 0.9, 1.2, 0.1), _bump(time, 3.0, 3.3, 0.1))
        pose["mouthSmile"] = pose.get("mouthSmile", 0.0) + 0.7 * _bump(time, 2.9, 4.3, 0.4)
        aside = _bump(time, 3.4, 4.2, 0.08)
        pose["eyeLookOutLeft"] = pose["eyeLookInRight"] = 0.4 * aside
        pose["breath"] = 0.3 * math.sin(2 * math.pi * time / 4)
        head = HeadPose(
            yaw=6 * math.sin(2 * math.pi * time / 5), pitch=2 * math.sin(2 * math.pi * time / 2.5)
        )
        faces.append(face(pose, head, number))
    return faces


def _film(avatar: Avatar, out: Path) -> None:
    import numpy as np

    from avatar_worker.clock import Ticks
    from avatar_worker.frames import OUTPUT_RATE
    from avatar_worker.output.mp4 import Mp4Writer
    from avatar_worker.render.choose import make_renderer

    from .bar import progress_bar

    canvas = avatar.canvas
    renderer = make_renderer("auto")
    slot = renderer.open(avatar)
    faces = film(canvas.fps)
    silence = np.zeros(OUTPUT_RATE // canvas.fps, np.int16)
    with (
        progress_bar("rendering") as progress,
        Mp4Writer(
            out,
            width=canvas.width,
            height=canvas.height,
            fps=canvas.fps,
            matrix=canvas.matrix,
            range=canvas.range,
        ) as writer,
    ):
        for number, face in enumerate(faces):
            (picture,) = renderer.render([(slot, face)])
            place = Ticks(number * len(silence))
            writer.write_picture(type(picture)(place, picture.width, picture.height, picture.data))
            writer.write_sound(silence)
            progress((number + 1) / len(faces))
    renderer.close(slot)


def _bump(time: float, start: float, stop: float, ramp: float) -> float:
    """0 outside, 1 inside, cosine flanks of `ramp` seconds within."""
    inside = min((time - start) / ramp, (stop - time) / ramp, 1.0)
    return (1 - math.cos(math.pi * max(0.0, inside))) / 2
