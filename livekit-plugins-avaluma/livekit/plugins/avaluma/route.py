from __future__ import annotations

from collections.abc import Callable

from livekit.agents.voice.io import AgentOutput, AudioOutput, _AudioSinkProxy

from .log import logger
from .output import AvatarAudioOutput


class AudioRoute:
    """Where the session's voice ends: at the avatar, or where it ended before."""

    def __init__(self, output: AgentOutput, *, to_avatar: Callable[[], AvatarAudioOutput]) -> None:
        self._output = output
        self._to_avatar = to_avatar
        self._sink: AvatarAudioOutput | None = None
        self._previous: AudioOutput | None = None
        self._parked: AudioOutput | None = None

    def divert(self) -> None:
        """Send the voice to the avatar, keeping the wrappers of a running session."""
        sink = self._to_avatar()
        if self._output.audio is None and self._parked is not None:
            chain, self._parked = self._parked, None
            self._output.audio = _with_tail(chain, sink)
        else:
            self._previous = _tail(self._output.audio)
            self._output.replace_audio_tail(sink)
        self._sink = sink

    def restore(self) -> None:
        """Send the voice where it went before, or nowhere: then the agent is text only.

        Does nothing if the voice does not go to the avatar any more.
        """
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if _tail(self._output.audio) is not sink:
            sink.release()
        elif self._previous is not None:
            sink.mute()
            # A wrapper finishes what the old tail owes, and plays the rest on the new one.
            self._output.replace_audio_tail(self._previous)
            sink.release()
        else:
            sink.release()
            self._parked = self._output.audio
            self._output.audio = None
        logger.debug("the agent's voice no longer goes to the avatar")


def _tail(chain: AudioOutput | None) -> AudioOutput | None:
    while chain is not None and chain.next_in_chain is not None:
        chain = chain.next_in_chain
    return chain


def _with_tail(chain: AudioOutput, sink: AudioOutput) -> AudioOutput:
    """Return the chain with another tail; a chain without wrappers is the tail itself."""
    link: AudioOutput | None = chain
    while link is not None:
        if isinstance(link, _AudioSinkProxy):
            link.set_next_in_chain(sink)
            return chain
        link = link.next_in_chain
    return sink
