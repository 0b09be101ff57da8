"""A pipeline that keeps what the faces were asked for: cues, and what the pictures were to show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from avatar_worker.avatars import Avatar
from avatar_worker.engine import Failure, PictureOrder, Pipeline
from avatar_worker.engine.pipeline import Slot
from avatar_worker.face import Activity, Cue
from avatar_worker.features import Audio2Face
from avatar_worker.frames import VideoFrame

from .plain_renderer import PlainRenderer

PATIENCE = 15.0


class WatchedSlot(Slot):
    """Keeps the cues that it passes on."""

    cues: list[Cue]
    placed: list[tuple[int, Cue]]

    def accept(self, order: PictureOrder) -> None:
        self.placed += [(order.speech_pts, cue) for cue in order.cues]
        super().accept(order)

    def express(self, cue: Cue) -> None:
        self.cues.append(cue)
        super().express(cue)


class WatchedPipeline(Pipeline):
    """Draws plain pictures as ever.

    Attributes:
        cues: Every mood, gesture and turn, in the order in which faces got them.
        placed: Those that came with a picture of speech, after the place of that picture.
        now: What the last picture was to show.
        activities: Every change of it.
    """

    def __init__(self) -> None:
        super().__init__(PlainRenderer(), Audio2Face())
        self.cues: list[Cue] = []
        self.placed: list[tuple[int, Cue]] = []
        self.now: Activity | None = None
        self.activities: list[Activity] = []

    def open(self, avatar: Avatar, *, seed: int) -> Slot:
        slot = super().open(avatar, seed=seed)
        watched = WatchedSlot(slot.avatar, slot.render, slot.mouth, slot.mixer)
        watched.cues, watched.placed = self.cues, self.placed
        return watched

    def draw_each(self, jobs: Sequence[tuple[Slot, PictureOrder]]) -> list[VideoFrame | Failure]:
        for _, order in jobs:
            if order.activity is not self.now:
                self.activities.append(order.activity)
            self.now = order.activity
        return super().draw_each(jobs)

    async def saw(self, *cues: Cue) -> None:
        """These cues come, in this order, and no others before them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.cues) < len(cues):
                await asyncio.sleep(0.01)
        assert self.cues == [*cues]

    async def shows(self, activity: Activity) -> None:
        """Pictures are to show this now."""
        async with asyncio.timeout(PATIENCE):
            while self.now is not activity:
                await asyncio.sleep(0.01)
