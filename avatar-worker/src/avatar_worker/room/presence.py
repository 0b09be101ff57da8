"""When the avatar leaves a room by itself. Pure: who is there and the time in, a reason out."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_worker.clock import Ticks, ms


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRules:
    """How long the avatar stays without those it is there for.

    Attributes:
        agent_gone: The on-behalf agent has left; a reconnect is a leave and a join.
        agent_never_came: It was never seen.
        alone: Everybody has left.
        max_duration: The whole session; None for no limit.
    """

    agent_gone: Ticks = ms(20_000)
    agent_never_came: Ticks = ms(60_000)
    alone: Ticks = ms(20_000)
    max_duration: Ticks | None = None


class Presence:
    """Watches who is in the room. Silence and leaving users are no reason to go."""

    def __init__(self, rules: LeaveRules, *, on_behalf: str | None, now: Ticks) -> None:
        self._rules = rules
        self._on_behalf = on_behalf
        self._joined = now
        self._agent_seen: Ticks | None = None
        self._others_seen: Ticks | None = None

    @property
    def agent_was_here(self) -> bool:
        """Whether the on-behalf agent has been seen at all."""
        return self._agent_seen is not None

    def reason_to_leave(self, now: Ticks, identities: set[str]) -> str | None:
        """Take note of who is there and say why to leave, or None.

        Args:
            now: The time.
            identities: Everybody in the room but avatars.
        """
        rules = self._rules
        if identities:
            self._others_seen = now
        if self._on_behalf in identities:
            self._agent_seen = now
        if rules.max_duration is not None and now - self._joined >= rules.max_duration:
            return "max_duration"
        if self._on_behalf is not None:
            if self._agent_seen is None and now - self._joined >= rules.agent_never_came:
                return "agent_never_came"
            if self._agent_seen is not None and now - self._agent_seen >= rules.agent_gone:
                return "agent_gone"
        if self._others_seen is not None and now - self._others_seen >= rules.alone:
            return "alone"
        return None
