from __future__ import annotations

from collections.abc import Callable

from livekit.agents.voice.io import AgentOutput, AudioOutput, _AudioSinkProxy

from .log import logger
from .output import AvatarAudioOutput
from .voice import AgentVoice


class AudioRoute:
    """Where the session's voice ends: at the avatar, at the agent's own track, or where it
    ended before."""

    def __init__(
        self,
        output: AgentOutput,
        *,
        to_avatar: Callable[[], AvatarAudioOutput],
        to_room: Callable[[], AgentVoice] | None = None,
    ) -> None:
        """Take charge of an output; without ``to_room`` the agent has no track of its own."""
        self._output = output
        self._to_avatar = to_avatar
        self._to_room = to_room
        self._sink: AvatarAudioOutput | None = None
        self._own: AgentVoice | None = None
        self._retired: list[AgentVoice] = []
        self._previous: AudioOutput | None = None
        self._parked: AudioOutput | None = None

    @property
    def to_avatar(self) -> AvatarAudioOutput | None:
        """Where the avatar's speech goes, while it does."""
        return self._sink

    @property
    def stands_in(self) -> bool:
        """Whether the agent speaks through a track of its own."""
        return self._own is not None

    def divert(self) -> None:
        """Send the voice to the avatar, keeping the wrappers of a running session."""
        sink, own = self._to_avatar(), self._own
        if self._output.audio is None and self._parked is not None:
            chain, self._parked = self._parked, None
            self._output.audio = _with_tail(chain, sink)
        else:
            tail = _tail(self._output.audio)
            if own is None or tail is not own:
                self._previous = tail
            self._output.replace_audio_tail(sink)
        self._sink = sink
        if own is not None:
            self._own = None
            own.retire()
            self._retired.append(own)

    def fall_back(self) -> None:
        """The avatar is lost: send the voice where it went before, else to a track of its own.

        Does nothing if the voice does not go to the avatar any more.
        """
        if self._previous is None and self._to_room is not None and self._leads_to(self._sink):
            self._own = self._to_room()
            self._let_go(self._own)
        else:
            self._let_go(self._previous)

    def restore(self) -> None:
        """Send the voice where it went before, or nowhere: then the agent is text only.

        Does nothing if somebody else has sent it elsewhere.
        """
        self._let_go(self._previous)
        own, self._own = self._own, None
        if own is not None:
            if self._leads_to(own):
                self._output.audio = None
            own.release()
            self._retired.append(own)

    async def aclose(self) -> None:
        """Restore, and wait until tracks of the agent's own have left the room."""
        self.restore()
        for own in self._retired:
            await own.aclose()
        self._retired.clear()

    def _leads_to(self, sink: AudioOutput | None) -> bool:
        return sink is not None and _tail(self._output.audio) is sink

    def _let_go(self, successor: AudioOutput | None) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if not self._leads_to(sink):
            sink.release()
        elif successor is not None:
            sink.mute()
            # A wrapper finishes what the old tail owes, and plays the rest on the new one.
            self._output.replace_audio_tail(successor)
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
