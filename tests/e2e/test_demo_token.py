from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib import resources

import jwt
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.demo.page import (
    COOKIE,
    CSRF_HEADER,
    FILES,
    ROOMS_PER_MINUTE,
    DemoPage,
    content_security_policy,
)
from fakes.tokens import admin
from fakes.viewer import watch
from livekit import api

pytestmark = pytest.mark.e2e

Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def page(
    server: LiveKitServer, clock: Callable[[], float] | None = None, url: str | None = None
) -> AsyncIterator[Client]:
    """The page's routes on a real HTTP server."""
    options = DemoPage(
        livekit_url=url or server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        **({"clock": clock} if clock else {}),
    )
    app = web.Application()
    options(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def csrf(client: Client) -> str:
    """Load the page as a browser does; the token it holds."""
    answer = await client.get("/")
    found = re.search(r'name="csrf" content="([0-9a-f]{64})"', await answer.text())
    assert found
    return found[1]


async def ask(client: Client, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    async with client.post("/demo/token", headers=headers) as answer:
        return answer.status, json.loads(await answer.text())


def guarded(answer: ClientResponse) -> bool:
    headers = answer.headers
    return (
        "default-src 'none'" in headers["Content-Security-Policy"]
        and "unsafe" not in headers["Content-Security-Policy"]
        and headers["X-Content-Type-Options"] == "nosniff"
        and "Access-Control-Allow-Origin" not in headers
    )


async def test_the_page_and_its_files_come_with_a_strict_policy(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client:
        for path in ("/", *(f"/demo/{name}" for name in FILES)):
            answer = await client.get(path)
            assert answer.status == 200, path
            assert guarded(answer), path
            assert len(await answer.read()) > 100, path


async def test_the_page_loads_nothing_that_the_policy_forbids(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client:
        text = await (await client.get("/")).text()
        assert "{{" not in text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text)
        for link in re.findall(r'(?:src|href)="([^"]+)"', text):
            if not link.startswith("data:"):
                assert (await client.get(link)).status == 200, link


def test_the_policy_names_one_livekit_server() -> None:
    policy = content_security_policy("wss://live.example.org:7443")
    assert "connect-src 'self' wss://live.example.org:7443 https://live.example.org:7443;" in policy
    policy = content_security_policy("ws://127.0.0.1:7880")
    assert "connect-src 'self' ws://127.0.0.1:7880 http://127.0.0.1:7880;" in policy


@pytest.mark.parametrize(
    "path",
    ["/demo/index.html", "/demo/../page.py", "/demo/vendor/README.md", "/demo/vendor/", "/x"],
)
async def test_only_the_listed_files_are_served(livekit_server: LiveKitServer, path: str) -> None:
    async with page(livekit_server) as client:
        assert (await client.get(path)).status == 404


async def test_a_foreign_host_name_is_refused(livekit_server: LiveKitServer) -> None:
    async with page(livekit_server) as client:
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example"):
            answer = await client.get("/", headers={"Host": host})
            assert answer.status == 421, host
        for host in ("localhost", "127.0.0.1:9", "[::1]:9"):
            assert (await client.get("/", headers={"Host": host})).status == 200, host


async def test_the_token_opens_a_fresh_room_and_lets_the_viewer_only_watch_and_type(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client:
        headers = {CSRF_HEADER: await csrf(client)}
        (status, one), (_, other) = await ask(client, headers), await ask(client, headers)
    assert status == 200
    assert one["room"] != other["room"]
    assert one["url"] == livekit_server.url
    claims = jwt.decode(one["token"], livekit_server.api_secret, algorithms=["HS256"])
    assert claims["roomConfig"] == {"agents": [{"agentName": "avaluma-demo-agent"}]}
    assert claims["video"] == {
        "roomJoin": True,
        "room": one["room"],
        "canPublish": False,
        "canSubscribe": True,
        "canPublishData": True,
    }
    assert claims["exp"] - claims["nbf"] <= 3600
    async with watch(one["url"], one["token"]) as viewer:
        assert viewer.room.name == one["room"]
        await viewer.say("hello")


async def test_the_viewer_s_join_dispatches_the_agent_by_name(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client, admin(livekit_server) as livekit:
        _, answer = await ask(client, {CSRF_HEADER: await csrf(client)})
        async with watch(answer["url"], answer["token"]):
            there = await livekit.agent_dispatch.list_dispatch(answer["room"])
    # The server lists its unnamed default beside the explicit ones.
    assert [one.agent_name for one in there if one.agent_name] == ["avaluma-demo-agent"]


async def test_a_foreign_page_cannot_open_rooms(livekit_server: LiveKitServer) -> None:
    async with page(livekit_server) as client:
        token = await csrf(client)
        assert (await ask(client, {}))[0] == 403
        assert (await ask(client, {CSRF_HEADER: "0" * 64}))[0] == 403
        assert (await ask(client, {CSRF_HEADER: "naïve"}))[0] == 403
        assert (await client.get("/demo/token")).status in (404, 405)
        client.session.cookie_jar.clear()
        assert (await ask(client, {CSRF_HEADER: token}))[0] == 403
        client.session.cookie_jar.update_cookies({COOKIE: "somebody-else"})
        assert (await ask(client, {CSRF_HEADER: token}))[0] == 403


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client:
        cookie = (await client.get("/")).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


async def test_the_ticket_of_a_room_closes_it_and_no_other_text_does(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server) as client, admin(livekit_server) as livekit:
        headers = {CSRF_HEADER: await csrf(client)}
        (_, one), (_, other) = await ask(client, headers), await ask(client, headers)
        room, _, signature = one["leave"].partition(" ")
        assert room == one["room"]
        for wrong in (b"", room.encode(), f"{other['room']} {signature}".encode(), b"\xff \xfe"):
            assert (await client.post("/demo/leave", data=wrong)).status == 403
        assert (await client.post("/demo/leave", data=b"x" * 10_000)).status == 413
        client.session.cookie_jar.clear()  # a page that is being left sends a ticket and no more
        async with watch(one["url"], one["token"]), watch(other["url"], other["token"]):
            assert (await client.post("/demo/leave", data=one["leave"])).status == 204
        wanted = api.ListRoomsRequest(names=[one["room"], other["room"]])
        listed = await livekit.room.list_rooms(wanted)
    assert [room.name for room in listed.rooms] == [other["room"]]


async def test_rooms_are_limited_by_the_minute(livekit_server: LiveKitServer) -> None:
    now = [1000.0]
    async with page(livekit_server, clock=lambda: now[0]) as client:
        headers = {CSRF_HEADER: await csrf(client)}
        for _ in range(ROOMS_PER_MINUTE):
            assert (await ask(client, headers))[0] == 200
        async with client.post("/demo/token", headers=headers) as refused:
            assert refused.status == 429
            assert 0 < int(refused.headers["Retry-After"]) <= 61
        now[0] += 60.0
        assert (await ask(client, headers))[0] == 200


async def test_a_livekit_server_that_is_gone_is_a_plain_502_on_leaving(
    livekit_server: LiveKitServer,
) -> None:
    async with page(livekit_server, url="ws://127.0.0.1:9") as client:
        _, answer = await ask(client, {CSRF_HEADER: await csrf(client)})
        async with client.post("/demo/leave", data=answer["leave"]) as refused:
            assert refused.status == 502
            assert await refused.json() == {"error": "The LiveKit server does not answer."}


def test_the_vendored_client_is_the_file_that_its_readme_names() -> None:
    vendor = resources.files("avatar_worker.demo") / "page" / "vendor"
    body = (vendor / "livekit-client.umd.js").read_bytes()
    readme = (vendor / "README.md").read_text()
    assert sha256(body).hexdigest() in readme
    assert "Apache License" in (vendor / "LICENSE").read_text()
