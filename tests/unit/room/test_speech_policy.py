from __future__ import annotations

import pytest

from avatar_worker.room.door import SpeechFrom
from avatar_worker.room.speech_policy import Speaker, SpeechPolicy

AGENT = Speaker("agent-1", True, {})
OTHER_AGENT = Speaker("agent-2", True, {})
GUEST = Speaker("guest", False, {})
HIDDEN = Speaker("", False, {})
OTHER_AVATAR = Speaker("avatar-x", True, {"lk.publish_on_behalf": "agent-2"})
EVERYBODY = (AGENT, OTHER_AGENT, GUEST, HIDDEN, OTHER_AVATAR)


def policy(rule: SpeechFrom, *, on_behalf: str | None = "agent-1") -> SpeechPolicy:
    return SpeechPolicy(rule, on_behalf=on_behalf, listed=frozenset({"guest"}))


@pytest.mark.parametrize(
    ("rule", "heard"),
    [
        (SpeechFrom.ON_BEHALF, {"agent-1"}),
        (SpeechFrom.AGENTS, {"agent-1", "agent-2"}),
        (SpeechFrom.LISTED, {"agent-1", "guest"}),
        (SpeechFrom.ANY, {"agent-1", "agent-2", "guest"}),
    ],
)
def test_each_rule_hears_whom_it_names(rule: SpeechFrom, heard: set[str]) -> None:
    it = policy(rule)
    assert {s.identity for s in EVERYBODY if it.refusal(s) is None} == heard


def test_until_agent_shuts_with_the_agents_first_word() -> None:
    it = policy(SpeechFrom.UNTIL_AGENT)
    assert it.refusal(GUEST) is None
    assert it.refusal(AGENT) is None
    assert it.refusal(GUEST) is not None
    assert it.refusal(OTHER_AGENT) is None
    assert it.rule is SpeechFrom.AGENTS


def test_a_stranger_does_not_shut_the_door_of_until_agent() -> None:
    it = policy(SpeechFrom.UNTIL_AGENT)
    assert it.refusal(OTHER_AGENT) is None
    assert it.refusal(GUEST) is None


def test_until_agent_without_an_agent_hears_anybody_for_good() -> None:
    it = policy(SpeechFrom.UNTIL_AGENT, on_behalf=None)
    assert it.rule is SpeechFrom.ANY
    assert it.refusal(GUEST) is None


@pytest.mark.parametrize("rule", list(SpeechFrom))
def test_avatars_and_hidden_participants_never_speak(rule: SpeechFrom) -> None:
    it = policy(rule)
    assert it.refusal(OTHER_AVATAR) is not None
    assert it.refusal(HIDDEN) is not None


def test_a_refusal_names_the_setting_that_would_admit() -> None:
    refusal = policy(SpeechFrom.AGENTS).refusal(GUEST)
    assert refusal is not None
    assert "speech_from" in refusal
    assert "guest" not in refusal, "identities stay out of messages"


def test_asking_whether_the_agent_may_speak_does_not_shut_the_door() -> None:
    it = policy(SpeechFrom.UNTIL_AGENT)
    assert it.refusal(AGENT, speaks=False) is None
    assert it.refusal(GUEST, speaks=False) is None
    assert it.refusal(AGENT) is None
    assert it.refusal(GUEST, speaks=False) is not None
