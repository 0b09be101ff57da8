"""The contract of every renderer: an avatar and face controls in, I420 out.

Three implementations agree with each other: `reference` (NumPy, slow, readable), `cpu` (mesh
raster) and `cuda` (batched over sessions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from avatar_worker.avatars import Avatar
from avatar_worker.frames import FaceControls, VideoFrame


class RenderSlot(Protocol):
    """One session's share of a renderer: buffers, caches. Never shared between sessions."""

    @property
    def avatar(self) -> Avatar:
        """The avatar that this slot draws."""
        ...


class Renderer(Protocol):
    """Draws pictures for many sessions. Used from one thread at a time."""

    @property
    def name(self) -> str:
        """`reference`, `cpu` or `cuda`."""
        ...

    def open(self, avatar: Avatar) -> RenderSlot:
        """Give a session its slot."""
        ...

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. Each frame owns its bytes."""
        ...

    def close(self, slot: RenderSlot) -> None:
        """Give the slot back. Idempotent."""
        ...
