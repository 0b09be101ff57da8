"""Who has left, and who is only reconnecting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

RECONNECTS_WITHIN = 3.0
"""Seconds in which a participant that vanished without a reason may come back as itself."""


class Absences:
    """Believes a leave at once if LiveKit names its reason, else after a grace period.

    A full reconnect, of a peer as of ourselves, looks like everybody concerned leaving without a
    reason and coming back under the same identity.
    """

    def __init__(
        self,
        *,
        on_gone: Callable[[str], None],
        connected: Callable[[], bool],
        grace: float = RECONNECTS_WITHIN,
    ) -> None:
        """Watch nobody yet.

        Args:
            on_gone: Told each identity that has left for good.
            connected: Whether we ourselves are connected now; nobody is given up while we are not.
            grace: Seconds.
        """
        self._on_gone = on_gone
        self._connected = connected
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._settled: dict[str, asyncio.Event] = {}

    def left(self, identity: str, *, reason: int | None) -> None:
        """A participant is not in the room any more.

        Args:
            identity: Whose.
            reason: LiveKit's `DisconnectReason`; 0 or None where it gives none.
        """
        self.back(identity)
        if reason:
            self._on_gone(identity)
        else:
            self._wait(identity)

    def back(self, identity: str) -> None:
        """It is there again."""
        if timer := self._waiting.get(identity):
            timer.cancel()
            self._settle(identity)

    def may_return(self, identity: str) -> bool:
        """Whether it vanished and has not been given up."""
        return identity in self._waiting

    async def settled(self, identity: str) -> None:
        """Wait while a participant may return; ends at once for those who are there."""
        if event := self._settled.get(identity):
            await event.wait()

    def close(self) -> None:
        """Forget everybody, and whom to tell. Idempotent."""
        for identity in list(self._waiting):
            self.back(identity)
        self._on_gone = lambda identity: None
        self._connected = lambda: False

    def _wait(self, identity: str) -> None:
        self._settled.setdefault(identity, asyncio.Event())
        self._waiting[identity] = self._loop.call_later(self._grace, self._over, identity)

    def _over(self, identity: str) -> None:
        if self._connected():
            self._settle(identity)
            self._on_gone(identity)
        else:
            self._wait(identity)

    def _settle(self, identity: str) -> None:
        del self._waiting[identity]
        self._settled.pop(identity).set()
