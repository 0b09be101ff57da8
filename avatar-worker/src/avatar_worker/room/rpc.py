"""The calls that the avatar answers: clear, pause, expressions, the states of agent and user."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from avatar_worker.session import Session
from livekit import rtc

from .expression import ExpressionDesk
from .states import RPC_AGENT_STATE, RPC_USER_STATE, ConversationState

logger = logging.getLogger(__name__)

RPC_CLEAR = "lk.clear_buffer"
RPC_PAUSE = "avaluma.pause"
RPC_RESUME = "avaluma.resume"
RPC_PING = "avaluma.ping"
OK = "ok"


class CallDesk:
    """Answers at once; closures of this room only, so no other room can be meant."""

    def __init__(
        self,
        participant: rtc.LocalParticipant,
        session: Session,
        *,
        on_behalf: str | None,
        expression: ExpressionDesk,
    ) -> None:
        self._participant = participant
        self._session = session
        self._on_behalf = on_behalf
        self._states = ConversationState()
        self._warned: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._methods: dict[str, Callable[[rtc.RpcInvocationData], str | Awaitable[str]]] = {
            RPC_CLEAR: self._clear,
            RPC_PAUSE: self._pause,
            RPC_RESUME: self._resume,
            RPC_PING: lambda call: OK,
            RPC_USER_STATE: self._user_state,
            RPC_AGENT_STATE: self._agent_state,
            **expression.methods,
        }
        for method, handler in self._methods.items():
            participant.register_rpc_method(method, handler)

    def close(self) -> None:
        """Answer no more. Idempotent."""
        for method in self._methods:
            self._participant.unregister_rpc_method(method)
        self._methods.clear()

    def agent_state(self, word: str) -> None:
        """Take the agent's state from its attribute: a late avatar has missed the call."""
        if self._states.agent(word):
            self._session.set_activity(self._states.activity)

    def _clear(self, call: rtc.RpcInvocationData) -> str:
        self.counts["clears"] += 1
        self._session.clear(call.caller_identity)
        return OK

    def _pause(self, call: rtc.RpcInvocationData) -> str:
        self.counts["pauses"] += 1
        self._session.hold(call.caller_identity)
        return OK

    def _resume(self, call: rtc.RpcInvocationData) -> str:
        self._session.release(call.caller_identity)
        return OK

    def _user_state(self, call: rtc.RpcInvocationData) -> str:
        known = self._from_agent(call) and self._states.user(call.payload)
        if turn := self._states.turn():
            self._session.express(turn)
        return self._state(call, known=known)

    def _agent_state(self, call: rtc.RpcInvocationData) -> str:
        return self._state(call, known=self._from_agent(call) and self._states.agent(call.payload))

    def _from_agent(self, call: rtc.RpcInvocationData) -> bool:
        return self._on_behalf is not None and call.caller_identity == self._on_behalf

    def _state(self, call: rtc.RpcInvocationData, *, known: bool) -> str:
        if known:
            self._session.set_activity(self._states.activity)
        elif call.method not in self._warned:
            self._warned.add(call.method)
            logger.warning(
                "a state was ignored: unknown word, or not from the avatar's agent",
                extra={"rpc": call.method, "lk.pii.identity": call.caller_identity},
            )
        return OK
