"""A pipeline whose stages fail for the avatars that a test names, and for nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.engine import PictureOrder, Pipeline
from avatar_worker.engine.pipeline import Slot
from avatar_worker.face import Activity, Cue, FaceMixer
from avatar_worker.features import Audio2Face, MouthStream
from avatar_worker.frames import FaceControls, Features, VideoFrame
from avatar_worker.render import RenderSlot

from .plain_renderer import PlainRenderer, PlainSlot


class FaultError(Exception):
    """What a stage raises here. Not an error of the worker's own."""


@dataclass
class Faults:
    """Which stage fails for which avatar, by its id.

    Attributes:
        sick: The stage, of `opening`, `order`, `cue`, `hearing`, `melody`, `behaviour`, `rendering`
            and `closing`.
        error: What it raises.
        alone: How often a stage was asked for a single voice or picture.
    """

    sick: dict[str, str] = field(default_factory=dict)
    error: Exception = field(default_factory=FaultError)
    alone: int = 0

    def check(self, avatar_id: str, stage: str) -> None:
        if self.sick.get(avatar_id) == stage:
            raise self.error


class FaultyRenderer(PlainRenderer):
    """Draws plain pictures, in order, up to the first one that fails."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults

    def open(self, avatar: Avatar) -> PlainSlot:
        self.faults.check(avatar.id, "opening")
        return super().open(avatar)

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        self.faults.alone += len(jobs) == 1
        for slot, _ in jobs:
            self.faults.check(slot.avatar.id, "rendering")
        return super().render(jobs)

    def close(self, slot: RenderSlot) -> None:
        super().close(slot)
        self.faults.check(slot.avatar.id, "closing")


class FaultyNet(Audio2Face):
    """The real net. Nothing of a voice changes if it fails, as the real one promises."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.whose: dict[MouthStream, str] = {}
        super().__init__()  # which hears a picture of silence

    def step(self, jobs: Sequence[tuple[MouthStream, npt.NDArray[np.float32]]]) -> list[Features]:
        for stream, _ in jobs:
            self.faults.check(self.whose.get(stream, ""), "hearing")
        return super().step(jobs)


class FaultyMixer(FaceMixer):
    """A face that fails to behave."""

    faults: Faults
    whose: str

    def frame(self, now: Ticks, *, features: Features | None, activity: Activity) -> FaceControls:
        self.faults.check(self.whose, "behaviour")
        return super().frame(now, features=features, activity=activity)


class FaultySlot(Slot):
    """A slot that does not take orders or cues, or does not hear."""

    faults: Faults

    def accept(self, order: PictureOrder) -> None:
        self.faults.check(self.avatar.id, "order")
        super().accept(order)

    def express(self, cue: Cue) -> None:
        self.faults.check(self.avatar.id, "cue")
        super().express(cue)

    def hear(self, features: Features, pcm: npt.NDArray[np.float32]) -> None:
        self.faults.check(self.avatar.id, "melody")
        super().hear(features, pcm)


class FaultyPipeline(Pipeline):
    """Every stage of it can fail.

    Attributes:
        faults: Where it fails; change it while it runs.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.net = FaultyNet(self.faults)
        super().__init__(FaultyRenderer(self.faults), self.net)

    def open(self, avatar: Avatar, *, seed: int) -> Slot:
        slot = super().open(avatar, seed=seed)
        mixer = FaultyMixer(seed=seed, idle=avatar.manifest.get("idle", {}))
        mixer.faults, mixer.whose = self.faults, avatar.id
        self.net.whose[slot.mouth] = avatar.id
        faulty = FaultySlot(slot.avatar, slot.render, slot.mouth, mixer)
        faulty.faults = self.faults
        return faulty
