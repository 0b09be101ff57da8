"""What the agent and its user are doing, as LiveKit spells it, in the face's words. Pure."""

from __future__ import annotations

from avatar_worker.face import Activity, Turn

RPC_USER_STATE = "user_state_changed"
RPC_AGENT_STATE = "agent_state_changed"
ATTRIBUTE_AGENT_STATE = "lk.agent.state"

USER_STATES = frozenset({"speaking", "listening", "away"})
AGENT_STATES = frozenset({"initializing", "idle", "listening", "thinking", "speaking"})


class ConversationState:
    """Merges both states into one activity. Unknown words change nothing."""

    def __init__(self) -> None:
        self._user = "listening"
        self._agent = "initializing"
        self._turn: Turn | None = None

    def user(self, word: str) -> bool:
        """Take the user's state; False if the word is unknown."""
        known = word in USER_STATES
        if known and word != self._user:
            if word == "speaking":
                self._turn = Turn.BEGAN
            elif self._user == "speaking" and word == "listening":
                self._turn = Turn.PAUSED
            self._user = word
        return known

    def turn(self) -> Turn | None:
        """Return what became of the user's turn since the last call, if anything did."""
        turn, self._turn = self._turn, None
        return turn

    def agent(self, word: str) -> bool:
        """Take the agent's state; False if the word is unknown."""
        known = word in AGENT_STATES
        self._agent = word if known else self._agent
        return known

    @property
    def activity(self) -> Activity:
        """What the face should look like between its own words."""
        if self._user == "speaking":
            return Activity.LISTENING
        if self._agent == "thinking":
            return Activity.THINKING
        if self._user == "away":
            return Activity.AWAY
        if self._agent in ("listening", "speaking"):
            return Activity.LISTENING
        return Activity.IDLE
