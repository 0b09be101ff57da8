"""The parts that the doors stand on, as one value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from avatar_worker.avatars.avatar import Avatar
from avatar_worker.room.door import Admission, Join

from .health import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarEntry:
    """One line of the avatar list.

    Attributes:
        id: The file name without `.hvia`.
        title: What the file calls itself.
        size: Canvas width and height in pixels.
        fps: Frames per second.
    """

    id: str
    title: str
    size: tuple[int, int]
    fps: int


class AvatarShelf(Protocol):
    """Finds and opens avatars."""

    async def open(self, avatar_id: str) -> Avatar:
        """Return an avatar from the disk or the cache.

        Raises:
            AvatarError: If there is none of this id, or it cannot be used.
        """
        ...

    def entries(self) -> Sequence[AvatarEntry]:
        """Return every avatar that can be used, by id. May read files: call it in a thread."""
        ...


class DispatchDoor(Protocol):
    """Takes jobs from LiveKit's dispatcher."""

    async def run(self, admission: Admission) -> None:
        """Register, again whenever LiveKit was lost, and serve until `aclose`."""
        ...

    def not_registered(self) -> str | None:
        """Say that LiveKit has not taken the first registration yet, or None. Thread-safe."""
        ...

    async def drain(self) -> None:
        """Take no more jobs. The running ones are the host's to end."""
        ...

    async def aclose(self) -> None:
        """Give everything back. Idempotent."""
        ...


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What `build_worker` makes and the server runs.

    Attributes:
        avatars: The avatars.
        join: Brings an avatar into a room.
        dispatch: The second door, or none.
        checks: Reasons against new work, beside the server's own.
        failures: How often each stage of drawing failed for a session, by its name. Thread-safe.
        watch: Ends only by raising `DeviceError`, when the device is lost; or None.
        aclose: Gives back engine and device.
    """

    avatars: AvatarShelf
    join: Join
    dispatch: DispatchDoor | None = None
    checks: Sequence[Check] = ()
    failures: Callable[[], Mapping[str, int]] = dict
    watch: Callable[[], Awaitable[None]] | None = None
    aclose: Callable[[], Awaitable[None]] = field(default=_nothing)
