"""Clients that take their time, and how long the HTTP door waits for them (security S10)."""

from __future__ import annotations

import asyncio

import pytest

from fakes.http_door import open_door


async def test_a_client_that_dribbles_its_headers_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("avatar_worker.server.app.HEADER_TIMEOUT", 0.2)
    async with open_door() as door:
        host, port = door.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\nHost:")
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert (await door.call("GET", "/health")).status == 200


async def test_a_start_may_take_longer_than_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_worker.server.app.HEADER_TIMEOUT", 0.1)
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        starting = asyncio.create_task(door.start())
        await door.livekit.asked_for(1)
        await asyncio.sleep(0.2)
        door.livekit.gate.opens.set()
        assert (await starting).status == 200


async def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_worker.server.api.BODY_TIMEOUT", 0.1)
    async with open_door() as door:
        host, port = door.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /start-avatar HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        async with asyncio.timeout(3):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()
