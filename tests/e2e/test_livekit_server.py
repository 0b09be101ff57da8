from __future__ import annotations

import asyncio
import math
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer, free_port, run_livekit_server
from avatar_worker.errors import ConfigError
from fakes.stand_in import HEIGHT, WIDTH, publish_card
from fakes.tokens import agent_token, avatar_token, fresh_room, viewer_token
from fakes.viewer import watch
from livekit import api, rtc

pytestmark = pytest.mark.e2e


async def test_the_viewer_measures_a_test_card_and_a_tone(livekit_server: LiveKitServer) -> None:
    name = fresh_room()
    done, loud = asyncio.Event(), asyncio.Event()
    loud.set()
    sender = rtc.Room()
    await sender.connect(livekit_server.url, avatar_token(livekit_server, name))
    publishing = asyncio.create_task(publish_card(sender, done, loud), name="test card")
    try:
        async with watch(livekit_server.url, viewer_token(livekit_server, name)) as viewer:
            await viewer.wait_for(lambda v: v.frames > 30 and v.loudness(0.5) > 0.3, 15)
            last = viewer.pictures[-1]
            assert (last.width, last.height) == (WIDTH, HEIGHT)
            assert viewer.mouth_motion(0.5) > 20
            assert len({p.hash for p in viewer.pictures}) > 1
            assert viewer.loudness(0.5) == pytest.approx(0.5 / math.sqrt(2), abs=0.06)
            assert viewer.image is not None
            assert viewer.image.shape == (HEIGHT, WIDTH, 3)
            done.set()
            await publishing
            await sender.disconnect()
            await viewer.wait_for(lambda v: "avatar-demo" in v.left, 15.0)
    finally:
        done.set()
        await sender.disconnect()


async def test_waiting_for_what_never_comes_says_what_was_seen(
    livekit_server: LiveKitServer,
) -> None:
    token = viewer_token(livekit_server, fresh_room())
    async with watch(livekit_server.url, token) as viewer:
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="0 pictures"):
            await viewer.wait_for(lambda v: v.frames > 0, 0.3)
        assert time.monotonic() - started < 1.5


async def test_tokens_give_the_kind_and_the_attribute_that_the_room_sees(
    livekit_server: LiveKitServer,
) -> None:
    name = fresh_room()
    avatar, agent = rtc.Room(), rtc.Room()
    await agent.connect(livekit_server.url, agent_token(livekit_server, name))
    await avatar.connect(livekit_server.url, avatar_token(livekit_server, name))
    async with watch(livekit_server.url, viewer_token(livekit_server, name)) as viewer:
        await viewer.wait_for(lambda v: v.sees("avatar-demo") and v.sees("agent-AJ_test"), 10)
        seen = viewer.room.remote_participants["avatar-demo"]
        assert seen.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        assert seen.attributes["lk.publish_on_behalf"] == "agent-AJ_test"
    await avatar.disconnect()
    await agent.disconnect()


async def test_two_servers_run_side_by_side_and_end_with_their_blocks() -> None:
    async with run_livekit_server() as one, run_livekit_server() as other:
        assert one.port != other.port
        async with api.LiveKitAPI(other.url, other.api_key, other.api_secret) as livekit:
            rooms = await livekit.room.list_rooms(api.ListRoomsRequest())
            assert list(rooms.rooms) == []
        pid = one.child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert one.child.returncode is not None


async def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "livekit-server"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit('no such key: qux')\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ConfigError, match="no such key: qux"):
        async with run_livekit_server(binary=broken):
            pytest.fail("it cannot have started")


def test_free_ports_are_free_and_differ() -> None:
    ports = {free_port() for _ in range(5)}
    assert len(ports) > 1
    assert all(1024 <= port <= 65535 for port in ports)
