from __future__ import annotations

import pytest

from avatar_worker.face import Activity
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
