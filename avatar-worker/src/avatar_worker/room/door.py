"""What a door (HTTP or dispatch) hands to a room, and what it gets back.

The doors know nothing of LiveKit and a room knows nothing of its door; these are the nouns
between them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from avatar_worker.avatars.avatar import Avatar
from avatar_worker.session.state import SessionState


class SpeechFrom(StrEnum):
    """Whom the avatar hears, from the narrowest to the widest policy."""

    ON_BEHALF = "on_behalf"
    """The agent named by `lk.publish_on_behalf` only."""
    AGENTS = "agents"
    """It, and participants of kind AGENT that are not avatars."""
    LISTED = "listed"
    """It, and the identities of the start request."""
    UNTIL_AGENT = "until_agent"
    """Anybody, until the on-behalf agent opens its first stream; from then on as `agents`."""
    ANY = "any"
    """Any participant with an identity."""

    def at_most(self, ceiling: SpeechFrom) -> SpeechFrom:
        """Return this policy, or `ceiling` where that is narrower."""
        order = list(SpeechFrom)
        return order[min(order.index(self), order.index(ceiling))]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """Everything one join needs; checked before it is made.

    Attributes:
        session_id: `sess_` and 16 hex digits.
        url: LiveKit's address, `ws` or `wss`, host and port, no path.
        token: The room token, passed on unchanged and dropped when the session ends.
        room_name: The room that the token is for.
        identity: The avatar's identity, the token's subject.
        on_behalf: The agent that the avatar speaks for, or none (external audio).
        avatar: The opened avatar.
        avatar_id: The id that was asked for.
        speech_from: Whom the avatar hears.
        speakers: Exact identities heard under the policy `listed`, at most 16.
        max_duration: Longest life in seconds.
    """

    session_id: str
    url: str
    token: str = field(repr=False)
    room_name: str
    identity: str
    on_behalf: str | None
    avatar: Avatar
    avatar_id: str
    speech_from: SpeechFrom
    speakers: tuple[str, ...] = ()
    max_duration: float


class RunningSession(Protocol):
    """One avatar in one room, from the moment its tracks are published."""

    id: str
    avatar_id: str
    room_name: str
    identity: str
    on_behalf: str | None
    door: str
    started_at: datetime

    @property
    def state(self) -> SessionState:
        """Where the session is in its life."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Return what was counted so far; safe to call from any thread."""
        ...

    def agent_present(self) -> bool:
        """Return whether the on-behalf agent is in the room now; safe from any thread."""
        ...

    async def aclose(self, reason: str) -> None:
        """End the session; the room is left when this returns. Idempotent."""
        ...

    async def wait_closed(self) -> str:
        """Wait for the end, whoever caused it, and return the reason."""
        ...


Join = Callable[[JoinRequest], Awaitable[RunningSession]]
"""Join, publish, return. Cancelled, it has left the room when it ends.

Raises `PeerError` when LiveKit refuses.
"""


class Reservation(Protocol):
    """One place in the worker, held until `release`."""

    def adopt(self, session: RunningSession) -> None:
        """Show `session` as the holder of this place.

        Called in the loop that owns the session; stop and drain run there too.
        """
        ...

    def release(self, reason: str = "ended") -> None:
        """Give the place back. Idempotent, thread-safe."""
        ...


class Admission(Protocol):
    """The one counter behind all doors. Every method is thread-safe and quick."""

    def reserve(self, avatar_id: str) -> Reservation:
        """Take a place.

        Raises:
            CapacityError: If every place is taken, or the worker is draining.
        """
        ...

    def load(self) -> float:
        """Return what LiveKit should hear: below 0.7 unless full, then 1."""
        ...
