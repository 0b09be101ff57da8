"""A spoken film without a room: sound file in, MP4 out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.audio import SpeechDoor
from avatar_worker.audio.files import read_speech
from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks, ms, ticks_per
from avatar_worker.engine import PictureOrder, Pipeline
from avatar_worker.engine.pipeline import HOP
from avatar_worker.face import Activity
from avatar_worker.features import Audio2Face
from avatar_worker.frames import OUTPUT_RATE
from avatar_worker.render.choose import make_renderer

from .marks import Mark, check_marks
from .mp4 import Mp4Writer

TAIL: Final = ms(400)
"""Pictures after the last word, in which the mouth comes to rest."""


def render_file(
    speech: Path,
    avatar: Avatar,
    out: Path,
    *,
    renderer: str = "auto",
    seed: int = 1,
    marks: Sequence[Mark] = (),
    progress: Callable[[float], None] = lambda share: None,
) -> int:
    """Let an avatar speak a sound file and return how many pictures were drawn.

    Args:
        speech: Any sound file up to an hour.
        avatar: Who speaks.
        out: Where the MP4 goes; an older one is replaced when this one is complete.
        renderer: `auto`, `cpu`, `cuda` or `reference`.
        seed: Of the idle life: the same seed, the same film.
        marks: Moods and gestures, in the order of their times.
        progress: Told the share that is done, 0 to 1.

    Raises:
        ConfigError: If the sound cannot be read, a mark lies behind its end, or the film cannot
            be written.
    """
    pcm = read_speech(speech)
    waiting = list(marks)
    check_marks(waiting, len(pcm))
    pipeline = Pipeline(make_renderer(renderer), Audio2Face())
    slot = pipeline.open(avatar, seed=seed)
    canvas = avatar.canvas
    frame = ticks_per(canvas.fps)
    count = -(-(len(pcm) + TAIL) // frame)
    sound = np.concatenate([pcm, np.zeros(count * frame - len(pcm), np.int16)])
    analysis = _analysis(sound, pipeline.look_ahead)
    fed = 0
    with Mp4Writer(
        out,
        width=canvas.width,
        height=canvas.height,
        fps=canvas.fps,
        matrix=canvas.matrix,
        range=canvas.range,
    ) as film:
        for number in range(count):
            place = number * frame
            until = (place + pipeline.look_ahead) // 3 // HOP * HOP
            order = PictureOrder(
                pts=Ticks(place),
                speaking=place < len(pcm),
                analysis=analysis[fed:until],
                restart=number == 0,
                activity=Activity.SPEAKING if place < len(pcm) else Activity.IDLE,
                speech_pts=place,
            )
            fed = max(fed, until)
            slot.accept(order)
            while waiting and waiting[0].at < place + frame:
                slot.express(waiting.pop(0).cue)
            (picture,) = pipeline.draw([(slot, order)])
            film.write_picture(picture)
            film.write_sound(sound[place : place + frame])
            progress((number + 1) / count)
    pipeline.close(slot)
    return count


def _analysis(sound: npt.NDArray[np.int16], look_ahead: Ticks) -> npt.NDArray[np.float32]:
    """Return the sound for the net, with the silence that it looks ahead into. float32, (n,)."""
    door = SpeechDoor(OUTPUT_RATE, 1)
    parts = [door.push(sound.tobytes())[1], door.finish()[1]]
    return np.concatenate([*parts, np.zeros(look_ahead // 3 + HOP, np.float32)])
