"""Draws a batch of pictures: speech to mouth, mouth to face, face to pixels.

What fails for one session costs the others of its batch nothing: each stage is isolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, Cue, FaceMixer
from avatar_worker.features import Audio2Face, MouthStream
from avatar_worker.features.prosody import ToneStream
from avatar_worker.frames import FaceControls, Features, VideoFrame
from avatar_worker.render import Renderer, RenderSlot

from .isolation import Failure, Stage, attempt, each

HOP = 640
"""Samples at 16 kHz that one step of the net takes: 40 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """What a session wants drawn next.

    Attributes:
        pts: When it will be shown, on the session's clock.
        speaking: Draw the mouth from the voice; else ease it to rest.
        analysis: Speech at 16 kHz to feed before drawing, a multiple of 640. float32, (n,).
        restart: Speech begins anew: forget what the net heard before.
        activity: What the person in the picture is doing.
        speech_pts: For a speaking picture: the place in the speech that it belongs to.
        generation: Grows with every clear; pictures of an older one are not shown.
        cues: What the face follows from this picture on, whether it is drawn or too late.
    """

    pts: Ticks
    speaking: bool
    analysis: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    restart: bool = False
    activity: Activity = Activity.IDLE
    speech_pts: int = 0
    generation: int = 0
    cues: tuple[Cue, ...] = ()


class Slot:
    """One session's row in every stage. Touched by the engine's thread alone."""

    def __init__(self, avatar: Avatar, render: RenderSlot, mouth: MouthStream, mixer: FaceMixer):
        self.avatar = avatar
        self.render = render
        self.mouth = mouth
        self.mixer = mixer
        self.tones = ToneStream()
        self.features: Features | None = None
        self.unfed: list[npt.NDArray[np.float32]] = []

    def accept(self, order: PictureOrder) -> None:
        """Take an order's speech and cues, also when its picture is too late to be drawn."""
        for cue in order.cues:
            self.express(cue)
        if order.restart:
            self.mouth.reset()
            self.tones.reset()
            self.unfed.clear()
            self.features = None
        sound = _sane(order.analysis)
        for start in range(0, len(sound), HOP):
            self.unfed.append(sound[start : start + HOP])

    def express(self, cue: Cue) -> None:
        """Let the face follow a cue, from the next picture on."""
        self.mixer.express(cue)

    def hear(self, features: Features, pcm: npt.NDArray[np.float32]) -> None:
        """Take what the net says of the newest 40 ms, and their melody."""
        self.features = features
        for tone in self.tones.step(pcm):
            self.mixer.hear(tone)


class Pipeline:
    """The stages in their order, batched over sessions. Used from one thread at a time."""

    def __init__(self, renderer: Renderer, audio2face: Audio2Face) -> None:
        self._renderer = renderer
        self._audio2face = audio2face

    @property
    def look_ahead(self) -> Ticks:
        """How much later speech the net must have heard to draw a moment."""
        return self._audio2face.look_ahead

    def open(self, avatar: Avatar, *, seed: int) -> Slot:
        """Give a session its slot."""
        return Slot(
            avatar,
            self._renderer.open(avatar),
            self._audio2face.open(),
            FaceMixer(seed=seed, idle=avatar.manifest.get("idle", {})),
        )

    def close(self, slot: Slot) -> None:
        """Give the slot back."""
        self._renderer.close(slot.render)

    def draw(self, jobs: Sequence[tuple[Slot, PictureOrder]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. The orders must have been accepted.

        Raises:
            Exception: What a stage raised for the first job that failed.
        """
        frames = []
        for picture in self.draw_each(jobs):
            if isinstance(picture, Failure):
                raise picture.error
            frames.append(picture)
        return frames

    def draw_each(self, jobs: Sequence[tuple[Slot, PictureOrder]]) -> list[VideoFrame | Failure]:
        """Draw one picture for each job, in order, or say how it failed.

        A slot that failed has lost its place in its own speech: it cannot be drawn any more.

        Args:
            jobs: Slots, each at most once, with orders that they have accepted.

        Raises:
            DeviceError: If the device is lost.
        """
        deaf = self._listen([slot for slot, _ in jobs])
        faces = [deaf.get(slot) or _behave(slot, order) for slot, order in jobs]
        well = [
            (slot.render, face)
            for (slot, _), face in zip(jobs, faces, strict=True)
            if not isinstance(face, Failure)
        ]
        pictures = iter(each(Stage.RENDERING, self._renderer.render, well))
        return [face if isinstance(face, Failure) else next(pictures) for face in faces]

    def _listen(self, slots: Sequence[Slot]) -> dict[Slot, Failure]:
        """Let every slot hear what it has not heard yet; return whose hearing failed."""
        failed: dict[Slot, Failure] = {}
        while waiting := [slot for slot in slots if slot.unfed and slot not in failed]:
            feeds = [slot.unfed.pop(0) for slot in waiting]
            voices = [(slot.mouth, pcm) for slot, pcm in zip(waiting, feeds, strict=True)]
            heard = each(Stage.HEARING, self._audio2face.step, voices)
            for slot, features, pcm in zip(waiting, heard, feeds, strict=True):
                if isinstance(features, Failure):
                    failed[slot] = features
                elif failure := attempt(Stage.HEARING, slot.hear, features, pcm):
                    failed[slot] = failure
        return failed


def _behave(slot: Slot, order: PictureOrder) -> FaceControls | Failure:
    features = slot.features if order.speaking else None
    try:
        return slot.mixer.frame(order.pts, features=features, activity=order.activity)
    except Exception as error:
        return Failure(Stage.BEHAVIOUR, error)


def _sane(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return sound within [-1, 1]; what is no number is silence.

    One sample of another kind would stay in a voice's memory to the end of its segment.
    """
    if len(sound) and not np.abs(sound).max() <= 1:  # true for NaN
        sound = np.clip(np.nan_to_num(sound, posinf=0, neginf=0), -1, 1)
    return sound
