"""What the operator decided about sessions."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_worker.room.door import SpeechFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What the operator decided about sessions.

    Attributes:
        speech_from: Policy where neither request, token nor key names one.
        speech_from_max: The widest policy anybody gets.
        start_budget: Seconds after which a start is given up.
    """

    speech_from: SpeechFrom = SpeechFrom.UNTIL_AGENT
    speech_from_max: SpeechFrom = SpeechFrom.ANY
    start_budget: float = 10.0
