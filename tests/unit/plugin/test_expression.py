from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fakes.agent_room import AgentRoom, Peer
from livekit import rtc
from livekit.plugins import avaluma
from livekit.plugins.avaluma import expression

AVATAR = "avatar-demo"
Handler = Callable[[rtc.RpcInvocationData], str]


def ok(call: rtc.RpcInvocationData) -> str:
    return "ok"


def refusing(number: int, message: str, /, **facts: object) -> Handler:
    def refuse(call: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(number, message, json.dumps(facts))

    return refuse


def scene(handler: Handler | None = ok) -> tuple[avaluma.AvatarSession, Peer]:
    """A session whose avatar answers so; None: an avatar that knows no such calls."""
    room = AgentRoom()
    room.connect()
    methods = {"avaluma.set_mood": handler, "avaluma.gesture": handler} if handler else {}
    peer = room.join(AVATAR, methods=methods)
    session = avaluma.AvatarSession(avatar_server_url="http://localhost:8080")
    session._room = room.as_room()
    return session, peer


async def test_a_mood_is_told_with_its_numbers() -> None:
    session, avatar = scene()
    await session.set_mood("happy", intensity=0.6, fade=0.2)
    await session.set_mood("neutral")
    assert [(method, json.loads(payload)) for method, payload in avatar.calls] == [
        ("avaluma.set_mood", {"mood": "happy", "intensity": 0.6, "fade": 0.2}),
        ("avaluma.set_mood", {"mood": "neutral", "intensity": 1.0, "fade": 0.4}),
    ]


async def test_a_gesture_is_told_by_name() -> None:
    session, avatar = scene()
    await session.gesture("nod")
    assert [(method, json.loads(payload)) for method, payload in avatar.calls] == [
        ("avaluma.gesture", {"gesture": "nod"})
    ]


async def test_an_unknown_name_lists_the_known_ones() -> None:
    session, _ = scene(refusing(2404, "no 'merry'", code="UNKNOWN_MOOD", known=["happy", "sad"]))
    with pytest.raises(avaluma.UnknownExpressionError, match="no 'merry'") as caught:
        await session.set_mood("merry")
    assert (caught.value.code, caught.value.known) == ("UNKNOWN_MOOD", ("happy", "sad"))
    assert isinstance(caught.value, avaluma.AvalumaException)


@pytest.mark.parametrize(
    ("number", "facts", "code"),
    [
        (2400, {"code": "BAD_CUE"}, "BAD_CUE"),
        (2403, {"code": "NOT_ALLOWED"}, "NOT_ALLOWED"),
        (2429, {}, "TOO_MANY_CALLS"),
        (1502, {}, "NO_ANSWER"),
        (1503, {}, "AVATAR_ABSENT"),
        (2404, {"known": "not a list"}, "UNKNOWN_NAME"),
    ],
)
async def test_every_refusal_has_its_code(number: int, facts: dict[str, object], code: str) -> None:
    session, _ = scene(refusing(number, "no", **facts))
    with pytest.raises(avaluma.AvatarExpressionError) as caught:
        await session.gesture("nod")
    assert caught.value.code == code
    assert not isinstance(caught.value, avaluma.UnknownExpressionError)


async def test_an_error_whose_facts_are_no_json_is_still_typed() -> None:
    def refuse(call: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(2400, "no", "{")

    session, _ = scene(refuse)
    with pytest.raises(avaluma.AvatarExpressionError) as caught:
        await session.set_mood("happy")
    assert caught.value.code == "BAD_CUE"


async def test_a_server_without_moods_is_said_to_be_one() -> None:
    session, _ = scene(None)
    with pytest.raises(avaluma.AvatarExpressionError, match="knows no moods") as caught:
        await session.set_mood("happy")
    assert caught.value.code == "UNSUPPORTED"


async def test_without_the_avatar_nobody_is_called() -> None:
    session, avatar = scene()
    room = AgentRoom()
    for absent in (None, room.as_room()):
        session._room = absent
        with pytest.raises(avaluma.AvatarExpressionError) as caught:
            await session.gesture("nod")
        assert caught.value.code == "AVATAR_ABSENT"
    room.connect()
    with pytest.raises(avaluma.AvatarExpressionError):
        await session.gesture("nod")
    assert avatar.calls == []


async def test_a_number_that_is_none_is_refused_before_the_call() -> None:
    session, avatar = scene()
    with pytest.raises(avaluma.AvatarExpressionError) as caught:
        await session.set_mood("happy", intensity=float("nan"))
    assert caught.value.code == "BAD_CUE"
    assert avatar.calls == []


def test_every_code_of_the_worker_is_known() -> None:
    from avatar_worker.room import expression as desk

    assert {desk.BAD_CUE, desk.NOT_ALLOWED, desk.UNKNOWN_NAME} <= set(expression.CODES)
    assert (expression.RPC_SET_MOOD, expression.RPC_GESTURE) == (
        desk.RPC_SET_MOOD,
        desk.RPC_GESTURE,
    )


def test_the_documented_names_are_the_workers() -> None:
    from avatar_worker.face.gestures import GESTURES
    from avatar_worker.face.moods import MOODS

    for names, method in (
        (MOODS, avaluma.AvatarSession.set_mood),
        (GESTURES, avaluma.AvatarSession.gesture),
    ):
        assert all(f"``{name}``" in (method.__doc__ or "") for name in names)
