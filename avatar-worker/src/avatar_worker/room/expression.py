"""Moods and gestures by call: who may ask, and what the answer is."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
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
LATEST_S: Final = 3_600
OK: Final = "ok"

ExpressAt = Callable[[str, str, Ticks, Cue], Awaitable[bool]]
"""Lets the face follow a cue at a place of a stream: sender, stream, place, cue.

False if there is no such stream of this sender, no more of it to be heard, or it has too many.
"""


class ExpressionDesk:
    """Answers `avaluma.set_mood` and `avaluma.gesture` in one room.

    Args:
        express: Hands a cue to the face, now.
        express_at: Hands it over when a place of a stream is heard.
        refusal: Why an identity may not put expressions on the face; None if it may.
    """

    def __init__(
        self,
        express: Callable[[Cue], None],
        *,
        express_at: ExpressAt,
        refusal: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._express = express
        self._express_at = express_at
        self._refusal = refusal
        self._warned: set[str] = set()
        self.counts: Counter[str] = Counter()

    @property
    def methods(self) -> Mapping[str, Callable[[rtc.RpcInvocationData], Awaitable[str]]]:
        """What answers each call; made on demand, so that an ended room holds no ring of objects."""
        return {
            RPC_SET_MOOD: lambda call: self._answer(call, read_mood),
            RPC_GESTURE: lambda call: self._answer(call, read_gesture),
        }

    async def _answer(
        self, call: rtc.RpcInvocationData, read: Callable[[Mapping[str, Any]], Cue]
    ) -> str:
        if (reason := await self._refusal(call.caller_identity)) is not None:
            self._warn(call, reason)
            raise _error(NOT_ALLOWED, "NOT_ALLOWED", reason)
        try:
            given = dict(_object(call.payload))
            place = _place(given)
            cue = read(given)
            if place is None:
                self._express(cue)
            elif not await self._express_at(call.caller_identity, *place, cue):
                raise CueError(
                    "UNKNOWN_STREAM",
                    "no stream of yours with this id is to be heard, or too many cues wait for it",
                )
        except CueError as error:
            self.counts["cues_refused"] += 1
            code = UNKNOWN_NAME if error.code.startswith("UNKNOWN_") else BAD_CUE
            raise _error(code, error.code, str(error), error.known) from None
        self.counts["cues"] += 1
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


def _place(given: dict[str, Any]) -> tuple[str, Ticks] | None:
    """Take the place out of a payload: a stream's id and the moment in it; None if it has none.

    Raises:
        CueError: If there is only one of them, or one makes no sense.
    """
    if "at" not in given and "stream" not in given:
        return None
    at, stream = given.pop("at", None), given.pop("stream", None)
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    if not is_number or not 0 <= at <= LATEST_S:  # false for NaN
        raise CueError("BAD_CUE", f"at must be a number from 0 to {LATEST_S}, beside a stream")
    if not isinstance(stream, str) or not stream:
        raise CueError("BAD_CUE", "stream must be the id of the byte stream that at counts from")
    return stream, Ticks(round(at * TICKS_PER_SECOND))


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
