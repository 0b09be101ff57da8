from __future__ import annotations

import pytest

from avatar_worker.face import Activity, Turn
from avatar_worker.room.states import ConversationState


@pytest.mark.parametrize(
    ("user", "agent", "activity"),
    [
        ("listening", "initializing", Activity.IDLE),
        ("listening", "idle", Activity.IDLE),
        ("listening", "listening", Activity.LISTENING),
        ("listening", "thinking", Activity.THINKING),
        ("speaking", "thinking", Activity.LISTENING),
        ("speaking", "listening", Activity.LISTENING),
        ("away", "listening", Activity.AWAY),
        ("away", "thinking", Activity.THINKING),
        ("listening", "speaking", Activity.LISTENING),
    ],
)
def test_both_states_make_one_activity(user: str, agent: str, activity: Activity) -> None:
    state = ConversationState()
    assert state.user(user)
    assert state.agent(agent)
    assert state.activity is activity


@pytest.mark.parametrize("word", ["", "SPEAKING", "dancing", '{"state": "idle"}'])
def test_unknown_words_change_nothing(word: str) -> None:
    state = ConversationState()
    state.agent("thinking")
    assert not state.user(word)
    assert not state.agent(word)
    assert state.activity is Activity.THINKING


def test_news_of_the_users_turn_is_told_once() -> None:
    state = ConversationState()
    assert state.turn() is None
    for word, news in (
        ("speaking", Turn.BEGAN),
        ("speaking", None),
        ("listening", Turn.PAUSED),
        ("listening", None),
        ("away", None),
        ("speaking", Turn.BEGAN),
        ("away", None),
        ("dancing", None),
    ):
        state.user(word)
        assert state.turn() is news, word
        assert state.turn() is None


def test_the_agents_states_are_no_turn_of_the_user() -> None:
    state = ConversationState()
    for word in ("listening", "thinking", "speaking", "listening"):
        state.agent(word)
        assert state.turn() is None
