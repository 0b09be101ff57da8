"""What a face does for half a minute: at rest, and with speech, as the worker itself makes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hibari import SAMPLE_RATE, Hibari  # type: ignore[import-untyped]

from avatar_worker.audio import SpeechDoor
from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.engine import PictureOrder, Pipeline
from avatar_worker.engine.pipeline import HOP
from avatar_worker.face import Activity
from avatar_worker.features import Audio2Face
from avatar_worker.frames import FaceControls, VideoFrame
from avatar_worker.render import RenderSlot

TICKS_PER_PICTURE = 1920
TEXT = (
    "Good morning, and welcome. My name is Amber, and I can help you with your booking. "
    "We have five rooms with a view of the harbour, and two of them are free before Thursday. "
    "Shall I put both of them aside for you, or would you rather think about it first?"
)


class Notebook:
    """A renderer that draws nothing and writes down what it was to draw."""

    def __init__(self) -> None:
        """Start with an empty page."""
        self.written: list[FaceControls] = []

    @property
    def name(self) -> str:
        """`notebook`."""
        return "notebook"

    def open(self, avatar: Avatar) -> RenderSlot:
        """Return a slot that only names its avatar."""
        return _Page(avatar)

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Keep the controls."""
        self.written += [controls for _, controls in jobs]
        return []

    def close(self, slot: RenderSlot) -> None:
        """Nothing is held."""


class _Page:
    def __init__(self, avatar: Avatar) -> None:
        self._avatar = avatar

    @property
    def avatar(self) -> Avatar:
        return self._avatar


def at_rest(avatar: Avatar, pictures: int, *, seed: int = 1) -> list[FaceControls]:
    """Return the controls of an idle face: sway, breath, blinks and glances."""
    notebook = Notebook()
    pipeline = Pipeline(notebook, Audio2Face())
    slot = pipeline.open(avatar, seed=seed)
    for i in range(pictures):
        order = PictureOrder(pts=Ticks(i * TICKS_PER_PICTURE), speaking=False)
        pipeline.draw([(slot, order)])
    return notebook.written


def speaking(avatar: Avatar, pictures: int, *, seed: int = 1) -> list[FaceControls]:
    """Return the controls of a face that speaks without a pause between sentences."""
    notebook = Notebook()
    pipeline = Pipeline(notebook, Audio2Face())
    slot = pipeline.open(avatar, seed=seed)
    ahead = pipeline.look_ahead // TICKS_PER_PICTURE
    sound = speech((pictures + ahead) * HOP)
    hops = [sound[i : i + HOP] for i in range(0, len(sound), HOP)]
    for i in range(pictures):
        feed = np.concatenate(hops[: ahead + 1]) if i == 0 else hops[i + ahead]
        order = PictureOrder(
            pts=Ticks(i * TICKS_PER_PICTURE),
            speaking=True,
            analysis=feed,
            restart=i == 0,
            activity=Activity.SPEAKING,
        )
        slot.accept(order)
        pipeline.draw([(slot, order)])
    return notebook.written


def speech(samples: int) -> npt.NDArray[np.float32]:
    """Return spoken English at 16 kHz, as often as it takes. float32, (samples,)."""
    voice = Hibari()(TEXT, seed=1)
    pcm = np.rint(np.clip(voice, -1, 1) * 32_767).astype("<i2")
    door = SpeechDoor(SAMPLE_RATE, 1)
    heard = np.concatenate([door.push(pcm.tobytes())[1], door.finish()[1]])
    return np.resize(heard, samples).astype(np.float32)
