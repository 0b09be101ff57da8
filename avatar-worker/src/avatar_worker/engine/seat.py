"""A session's handle on the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from avatar_worker.clock import Ticks
from avatar_worker.errors import DeviceError, PictureError
from avatar_worker.face import Cue
from avatar_worker.frames import VideoFrame

from .pipeline import PictureOrder, Slot

if TYPE_CHECKING:
    from .executor import Engine

Drawn = Callable[[PictureOrder, VideoFrame | None], None]
"""Told about every order: its picture, or None if it was late or cancelled."""

Failed = Callable[[PictureError | DeviceError], None]
"""Told once, if there will be no more pictures: `PictureError` where only this session has
failed, `DeviceError` where the engine has. Open orders are not answered then."""


def nobody(error: PictureError | DeviceError) -> None:
    """Nobody has to be told."""


class Seat:
    """Methods may be called from any thread.

    Attributes:
        name: Of the seat, in logs.
        slot: Its row in every stage.
        drawn, failed: Whom to tell, on the engine's thread.
        given_up: Whether it has failed: its orders are forgotten.
    """

    def __init__(self, engine: Engine, name: str, slot: Slot, drawn: Drawn, failed: Failed) -> None:
        self._engine = engine
        self.name = name
        self.slot = slot
        self.drawn = drawn
        self.failed = failed
        self.given_up = False

    def submit(self, order: PictureOrder, *, deadline: Ticks) -> None:
        """Ask for a picture that is useless after `deadline`.

        Raises:
            DeviceError: If the engine has stopped.
        """
        self._engine.submit(self, order, deadline)

    def cancel(self) -> None:
        """Forget every picture that is not being drawn yet. Their orders are not answered."""
        self._engine.cancel(self)

    def express(self, cue: Cue) -> None:
        """Let the face follow a cue, from the next picture that is not drawn yet.

        Raises:
            DeviceError: If the engine has stopped.
        """
        self._engine.express(self, cue)

    def close(self) -> None:
        """Give the slot back. Idempotent."""
        self._engine.close_seat(self)
