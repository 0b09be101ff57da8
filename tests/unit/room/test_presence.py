from __future__ import annotations

from avatar_worker.clock import Ticks, ms
from avatar_worker.room.presence import LeaveRules, Presence

AGENT = "agent-1"


def s(seconds: float) -> Ticks:
    return ms(round(seconds * 1000))


def presence(on_behalf: str | None = AGENT, rules: LeaveRules | None = None) -> Presence:
    return Presence(rules or LeaveRules(), on_behalf=on_behalf, now=s(0))


def test_an_agent_that_is_not_here_yet_has_not_left() -> None:
    it = presence()
    assert it.reason_to_leave(s(59), set()) is None
    assert not it.agent_was_here


def test_an_agent_that_never_comes_is_waited_for_a_minute() -> None:
    assert presence().reason_to_leave(s(60), {"user"}) == "agent_never_came"


def test_a_reconnect_of_the_agent_is_no_reason_to_leave() -> None:
    it = presence()
    assert it.reason_to_leave(s(1), {AGENT, "user"}) is None
    assert it.reason_to_leave(s(20), {"user"}) is None
    assert it.reason_to_leave(s(20.5), {AGENT, "user"}) is None
    assert it.reason_to_leave(s(40), {"user"}) is None


def test_the_avatar_leaves_some_time_after_its_agent() -> None:
    it = presence()
    it.reason_to_leave(s(5), {AGENT, "user"})
    assert it.reason_to_leave(s(24.9), {"user"}) is None
    assert it.reason_to_leave(s(25), {"user"}) == "agent_gone"


def test_a_user_who_leaves_ends_nothing_while_the_agent_is_here() -> None:
    it = presence()
    it.reason_to_leave(s(5), {AGENT, "user"})
    for second in range(6, 600, 10):
        assert it.reason_to_leave(s(second), {AGENT}) is None


def test_external_audio_leaves_when_everybody_has_left() -> None:
    it = presence(on_behalf=None)
    assert it.reason_to_leave(s(100), set()) is None, "nobody has come yet: LiveKit ends the room"
    it.reason_to_leave(s(101), {"user"})
    assert it.reason_to_leave(s(120.9), set()) is None
    assert it.reason_to_leave(s(121), set()) == "alone"


def test_the_longest_life_ends_any_session() -> None:
    it = presence(rules=LeaveRules(max_duration=s(10)))
    assert it.reason_to_leave(s(9.9), {AGENT}) is None
    assert it.reason_to_leave(s(10), {AGENT}) == "max_duration"
