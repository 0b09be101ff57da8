"""The renderer for any machine: one core, straight to I420.

The person is sampled between nodes of a coarse map and laid over the background; what shows
through the slits of mouth and eyes is drawn over that, triangle by triangle. Everything that
belongs to an avatar is prepared once and shared; a session has nothing of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose, VideoFrame

from .prepared import Prepared
from .renderer import RenderSlot
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class CpuSlot:
    """One session's share.

    Attributes:
        avatar: The avatar that it draws.
        workspace: What all sessions of the avatar draw in.
    """

    avatar: Avatar
    workspace: Workspace


class CpuRenderer:
    """Draws with compiled loops. One thread at a time; the GIL is free while it draws."""

    def __init__(self) -> None:
        """Start without avatars."""
        self._open: WeakValueDictionary[tuple[str, int], Workspace] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """`cpu`."""
        return "cpu"

    def open(self, avatar: Avatar) -> CpuSlot:
        """Prepare the avatar, unless an open slot has it already, and draw it once unseen.

        The unseen picture compiles the loops, or reads them from disk, before a session waits.
        """
        # An avatar that was never written to a file has no content id; then it is its own.
        key = (avatar.content_id, 0 if avatar.content_id else id(avatar))
        workspace = self._open.get(key)
        if workspace is None:
            workspace = self._open[key] = Workspace(Prepared(avatar))
            ajar = np.full(len(CONTROL_NAMES), 0.2, np.float32)
            _draw(workspace, FaceControls(Ticks(0), ajar, HeadPose(yaw=1.0)))
        return CpuSlot(avatar, workspace)

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. Each frame owns its bytes.

        Raises:
            TypeError: If a slot is another renderer's.
        """
        frames = []
        for slot, controls in jobs:
            if not isinstance(slot, CpuSlot):
                raise TypeError("this slot belongs to another renderer")
            frames.append(_draw(slot.workspace, controls))
        return frames

    def close(self, slot: RenderSlot) -> None:
        """Give the slot back. The avatar's buffers go with its last slot."""


def _draw(workspace: Workspace, controls: FaceControls) -> VideoFrame:
    ready = workspace.prepared
    data = workspace.draw(ready.driver.drive(controls))
    return VideoFrame(pts=controls.pts, width=ready.width, height=ready.height, data=data)
