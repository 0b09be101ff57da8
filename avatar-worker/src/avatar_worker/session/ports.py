"""What a session needs of the world around it. `room` and the tests bring their own."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import Ticks
from avatar_worker.frames import VideoFrame


class SoundPort(Protocol):
    """Where sound goes: a queue that is heard at its own pace."""

    async def write(self, pcm: npt.NDArray[np.int16]) -> None:
        """Queue 48 kHz mono samples, at most 40 ms; return when there is room for more.

        The samples count as queued from the call on, before the first await.
        """
        ...

    def queued(self) -> Ticks:
        """How much has been written and not yet heard."""
        ...

    def clear(self) -> None:
        """Forget what is queued."""
        ...


class PicturePort(Protocol):
    """Where pictures go. The only place that knows how they are encoded."""

    def show(self, frame: VideoFrame) -> None:
        """Show a picture now. Never blocks."""
        ...


class ReportPort(Protocol):
    """Who tells the senders how their segments fared."""

    def report(self, fact: Started | Finished) -> None:
        """Send a fact to its sender, in order for each sender. Never blocks."""
        ...
