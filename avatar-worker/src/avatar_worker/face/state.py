"""What the person in the picture is doing."""

from __future__ import annotations

from enum import StrEnum


class Activity(StrEnum):
    """How the agent and the user stand to each other; behaviour differs by it."""

    IDLE = "idle"
    """Nobody speaks."""
    LISTENING = "listening"
    """The user speaks."""
    THINKING = "thinking"
    """The user has finished, the answer is not there yet."""
    SPEAKING = "speaking"
    """The agent speaks."""
    AWAY = "away"
    """The user is gone; as idle, with more looking around."""
