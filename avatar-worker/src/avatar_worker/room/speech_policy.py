"""Who may put words into the avatar's mouth. Pure: identities and attributes in, a verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .door import SpeechFrom

ATTRIBUTE_ON_BEHALF = "lk.publish_on_behalf"


@dataclass(frozen=True, slots=True)
class Speaker:
    """What the SFU says about a sender.

    Attributes:
        identity: Empty for hidden participants.
        is_agent: Its kind is AGENT.
        attributes: Its public attributes.
    """

    identity: str
    is_agent: bool
    attributes: Mapping[str, str]


class SpeechPolicy:
    """Decides for one session. The door of `until_agent` shuts with the agent's first stream."""

    def __init__(
        self, rule: SpeechFrom, *, on_behalf: str | None, listed: frozenset[str] = frozenset()
    ) -> None:
        if rule is SpeechFrom.UNTIL_AGENT and on_behalf is None:
            rule = SpeechFrom.ANY
        self._rule = rule
        self._on_behalf = on_behalf
        self._listed = listed

    @property
    def rule(self) -> SpeechFrom:
        """The rule in force now."""
        return self._rule

    def refusal(self, speaker: Speaker, *, speaks: bool = True) -> str | None:
        """Return None if the speaker is heard, else a sentence that says what would admit it.

        Args:
            speaker: Who asks.
            speaks: It does speak; only this shuts the door of `until_agent`.
        """
        if not speaker.identity:
            return "hidden participants are not heard"
        if speaker.attributes.get(ATTRIBUTE_ON_BEHALF):
            return "avatars are not heard"
        if speaker.identity == self._on_behalf:
            if speaks and self._rule is SpeechFrom.UNTIL_AGENT:
                self._rule = SpeechFrom.AGENTS
            return None
        heard = {
            SpeechFrom.ON_BEHALF: False,
            SpeechFrom.AGENTS: speaker.is_agent,
            SpeechFrom.LISTED: speaker.identity in self._listed,
            SpeechFrom.UNTIL_AGENT: True,
            SpeechFrom.ANY: True,
        }[self._rule]
        if heard:
            return None
        return (
            f"this session hears speech_from={self._rule.value}; the one who starts it can set "
            f"speech_from to 'any', or to 'listed' with this identity"
        )
