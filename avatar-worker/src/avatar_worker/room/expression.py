"""Moods and gestures by call: who may ask, and what the answer is."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from avatar_worker.errors import CueError
from avatar_worker.face import Cue
from avatar_worker.face.cues import read_gesture, read_mood
from livekit import rtc

logger = logging.getLogger(__name__)

RPC_SET_MOOD: Final = "avaluma.set_mood"
RPC_GESTURE: Final = "avaluma.gesture"

# LiveKit keeps 1001 to 1999 for itself.
BAD_CUE: Final = 2400
NOT_ALLOWED: Final = 2403
UNKNOWN_NAME: Final = 2404

MOST_PAYLOAD: Final = 1_024
OK: Final = "ok"


class ExpressionDesk:
    """Answers `avaluma.set_mood` and `avaluma.gesture` in one room.

    Args:
        express: Hands a cue to the face.
        refusal: Why an identity may not put expressions on the face; None if it may.
    """

    def __init__(
        self,
        express: Callable[[Cue], None],
        *,
        refusal: Callable[[str], str | None],
    ) -> None:
        self._express = express
        self._refusal = refusal
        self._warned: set[str] = set()
        self.counts: Counter[str] = Counter()

    @property
    def methods(self) -> Mapping[str, Callable[[rtc.RpcInvocationData], str]]:
        """What answers each call; made on demand, so that an ended room holds no ring of objects."""
        return {
            RPC_SET_MOOD: lambda call: self._answer(call, read_mood),
            RPC_GESTURE: lambda call: self._answer(call, read_gesture),
        }

    def _answer(self, call: rtc.RpcInvocationData, read: Callable[[Mapping[str, Any]], Cue]) -> str:
        if (reason := self._refusal(call.caller_identity)) is not None:
            self._warn(call, reason)
            raise _error(NOT_ALLOWED, "NOT_ALLOWED", reason)
        try:
            cue = read(_object(call.payload))
        except CueError as error:
            self.counts["cues_refused"] += 1
            code = UNKNOWN_NAME if error.code.startswith("UNKNOWN_") else BAD_CUE
            raise _error(code, error.code, str(error), error.known) from None
        self.counts["cues"] += 1
        self._express(cue)
        return OK

    def _warn(self, call: rtc.RpcInvocationData, reason: str) -> None:
        self.counts["cues_refused"] += 1
        if call.method not in self._warned:
            self._warned.add(call.method)
            logger.warning(
                "an expression was refused",
                extra={
                    "rpc": call.method,
                    "reason": reason,
                    "lk.pii.identity": call.caller_identity,
                },
            )


def _object(payload: str) -> Mapping[str, Any]:
    """Read a payload.

    Raises:
        CueError: If it is not one small JSON object without duplicate keys.
    """
    if len(payload) > MOST_PAYLOAD:
        raise CueError("BAD_CUE", f"the payload is longer than {MOST_PAYLOAD} characters")
    try:
        value = json.loads(payload, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise CueError("BAD_CUE", "the payload must be a JSON object") from None
    if not isinstance(value, dict):
        raise CueError("BAD_CUE", "the payload must be a JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _error(code: int, name: str, message: str, known: tuple[str, ...] = ()) -> rtc.RpcError:
    data: dict[str, Any] = {"code": name}
    if known:
        data["known"] = list(known)
    return rtc.RpcError(code, message, json.dumps(data))
