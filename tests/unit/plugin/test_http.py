from __future__ import annotations

import asyncio
import logging
import socket
import time
from email.utils import formatdate

import pytest

from fakes.avatar_server import Answer, AvatarServerStub, refused, serving, started
from livekit.agents import APIConnectionError, APIConnectOptions, APITimeoutError, utils
from livekit.plugins.avaluma import AvatarServerError, api as plugin_api
from livekit.plugins.avaluma.api import AvatarServer, StartReply

FAST = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=2.0)
REQUEST = {"livekit_url": "ws://x", "livekit_token": "TOKEN-CANARY", "avaluma_avatar_id": "demo"}


def avatar_server(url: str, options: APIConnectOptions = FAST) -> AvatarServer:
    return AvatarServer(
        base_url=url,
        license_key="KEY-CANARY",
        request=REQUEST,
        conn_options=options,
        http_session=utils.http_context.http_session,
    )


async def start(*script: Answer, options: APIConnectOptions = FAST) -> AvatarServerStub:
    async with serving(*script) as stub, utils.http_context.open():
        await avatar_server(stub.url, options).start()
        return stub


async def start_fails(*script: Answer) -> tuple[AvatarServerError, AvatarServerStub]:
    async with serving(*script) as stub, utils.http_context.open():
        with pytest.raises(AvatarServerError) as raised:
            await avatar_server(stub.url).start()
        return raised.value, stub


async def test_the_reply_says_what_the_avatar_can_do() -> None:
    async with serving(started(sample_rate=24000)) as stub, utils.http_context.open():
        server = avatar_server(stub.url)
        assert await server.start() == StartReply(playback_started=True, sample_rate=24000)
        assert server.session_id == "sess_0123456789abcdef"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=204),
        Answer(status=201, text="OK"),
        Answer(body=["a list"]),
        Answer(body={"session_id": 7, "features": "playback_started"}),
        Answer(body={"sample_rate": 1}),
        Answer(body={"sample_rate": True}),
        Answer(body={"sample_rate": "24000"}),
    ],
)
async def test_any_success_will_do_and_nothing_is_read_into_it(answer: Answer) -> None:
    async with serving(answer) as stub, utils.http_context.open():
        server = avatar_server(stub.url)
        assert await server.start() == StartReply()
        assert server.session_id is None
        await server.stop()
        assert stub.stops == []


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
async def test_what_may_pass_is_tried_again_with_the_same_idempotency_key(status: int) -> None:
    stub = await start(refused(status, "LATER"), refused(status, "LATER"))
    assert len(stub.starts) == 3
    assert len({request.headers["Idempotency-Key"] for request in stub.starts}) == 1
    assert len({request.body for request in stub.starts}) == 1


async def test_two_starts_have_different_idempotency_keys() -> None:
    first, second = await start(), await start()
    assert first.starts[0].headers["Idempotency-Key"] != second.starts[0].headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_TOKEN"),
        (401, "INVALID_LICENSE"),
        (403, "INVALID_LICENSE"),
        (404, "AVATAR_NOT_FOUND"),
        (409, "AVATAR_ALREADY_ACTIVE"),
    ],
)
async def test_a_refusal_is_raised_at_once_with_its_status_and_code(status: int, code: str) -> None:
    error, stub = await start_fails(refused(status, code))
    assert (error.status_code, error.code, error.retryable) == (status, code, False)
    assert error.body == {"code": code, "error": "a sentence"}
    assert len(stub.starts) == 1


async def test_a_server_that_stays_full_is_named_as_such_after_the_last_try() -> None:
    error, stub = await start_fails(*[refused(503, "AT_CAPACITY")] * 9)
    assert (error.status_code, error.code) == (503, "AT_CAPACITY")
    assert len(stub.starts) == FAST.max_retry + 1


async def test_no_retry_means_one_try() -> None:
    async with serving(refused(500, "INTERNAL_ERROR")) as stub, utils.http_context.open():
        with pytest.raises(AvatarServerError):
            await avatar_server(stub.url, APIConnectOptions(max_retry=0)).start()
        assert len(stub.starts) == 1


async def test_retry_after_is_honoured() -> None:
    before = time.monotonic()
    stub = await start(refused(429, "RATE_LIMIT_EXCEEDED", Retry_After="0.6"))
    assert 0.6 <= time.monotonic() - before < 2.0
    assert len(stub.starts) == 2


def test_retry_after_may_be_seconds_or_a_date_and_is_capped() -> None:
    assert plugin_api._retry_after(None) == 0.0
    assert plugin_api._retry_after("2") == 2.0
    assert plugin_api._retry_after("3600") == plugin_api.MAX_RETRY_AFTER
    assert plugin_api._retry_after("-1") == 0.0
    assert plugin_api._retry_after("nan") == 0.0
    assert plugin_api._retry_after("soon") == 0.0
    assert 8 < plugin_api._retry_after(formatdate(time.time() + 10, usegmt=True)) <= 10


async def test_a_broken_connection_is_tried_again() -> None:
    stub = await start(Answer(hang_up=True))
    assert len(stub.starts) == 2


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with serving() as elsewhere:
        error, _ = await start_fails(
            Answer(status=308, headers={"Location": elsewhere.url + "/v1/livekit/start-avatar"})
        )
        assert error.status_code == 308
        assert "AVALUMA_API_URL" in error.message
        assert elsewhere.requests == []


async def test_nobody_listening_is_a_connection_error_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    caplog.set_level(logging.DEBUG)
    async with utils.http_context.open():
        with pytest.raises(APIConnectionError) as raised:
            await avatar_server(f"http://127.0.0.1:{port}").start()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    tries = [r for r in caplog.records if r.name == "livekit.plugins.avaluma"]
    assert len(tries) == FAST.max_retry
    assert {r.getMessage() for r in tries} == {
        "the avatar server did not start the session, trying again"
    }
    everything = str(raised.value) + "".join(str(vars(r)) for r in tries)
    assert "CANARY" not in everything
    assert "127.0.0.1" not in everything, "nor whom it asked"
    assert f":{port}" not in everything


async def test_a_server_that_never_answers_does_not_hang_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin_api, "REQUEST_TIMEOUT", 0.05)
    hung = Answer(hold=True)
    async with serving(hung, hung) as stub, utils.http_context.open():
        with pytest.raises(APITimeoutError):
            await avatar_server(stub.url, APIConnectOptions(max_retry=1, retry_interval=0)).start()
        assert len(stub.starts) == 2


async def test_stop_names_the_session_once() -> None:
    async with serving(started("sess_7")) as stub, utils.http_context.open():
        server = avatar_server(stub.url)
        await server.stop()
        assert stub.requests == []
        await server.start()
        await server.stop()
        await server.stop()
        [stop] = stub.stops
        assert (stop.path, stop.json) == ("/v1/livekit/stop-avatar", {"session_id": "sess_7"})
        assert stop.headers["api-secret"] == "KEY-CANARY"


async def test_a_stop_that_fails_does_not_raise() -> None:
    async with utils.http_context.open():
        async with serving() as stub:
            server = avatar_server(stub.url)
            await server.start()
        await server.stop()


async def test_a_stop_after_the_http_context_is_gone_does_not_raise() -> None:
    async with serving() as stub:
        async with utils.http_context.open():
            server = avatar_server(stub.url)
            await server.start()
        await server.stop()
        assert stub.stops == []


async def test_a_start_cancelled_before_its_answer_stops_what_the_server_started() -> None:
    held = Answer(body={"session_id": "sess_late"}, hold=True)
    async with serving(held) as stub, utils.http_context.open():
        task = asyncio.create_task(avatar_server(stub.url).start())
        await stub.arrived.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, stub.let_go.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [stop.json for stop in stub.stops] == [{"session_id": "sess_late"}]


async def test_a_cancelled_start_waits_for_the_answer_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin_api, "UNDO_TIMEOUT", 0.05)
    async with serving(Answer(hold=True)) as stub, utils.http_context.open():
        task = asyncio.create_task(avatar_server(stub.url).start())
        await stub.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1.0)
        assert stub.stops == []


async def test_a_start_cancelled_between_two_tries_ends_at_once() -> None:
    async with serving(refused(503, "DRAINING", Retry_After="30")) as stub:
        async with utils.http_context.open():
            task = asyncio.create_task(avatar_server(stub.url).start())
            await stub.arrived.wait()
            await asyncio.wait({task}, timeout=0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 1.0)
        assert len(stub.starts) == 1
