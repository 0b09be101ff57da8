"""The plugin in a real room, opposite the smallest avatar that keeps the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from avatar_worker.demo.livekit_server import LiveKitServer
from fakes.tokens import agent_token, fresh_room
from livekit import api, rtc
from livekit.agents import AgentSession, APIConnectOptions, utils
from livekit.plugins.avaluma import AvatarDispatchError, AvatarSession

pytestmark = pytest.mark.e2e

WIDTH, HEIGHT = 64, 64


@dataclass
class SmallAvatar:
    """Joins with the token it is given, shows a picture, answers one segment at a time."""

    room: rtc.Room = field(default_factory=rtc.Room)
    states: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)
    heard: bytearray = field(default_factory=bytearray)
    rates: list[str] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    asked: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    stops: list[Any] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def join(self, url: str, token: str) -> None:
        self.room.register_byte_stream_handler("lk.audio_stream", self._on_stream)
        await self.room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
        me = self.room.local_participant

        def remember(data: rtc.RpcInvocationData, method: str) -> str:
            self.states.put_nowait((method, data.payload))
            return "ok"

        for name in ("user_state_changed", "agent_state_changed"):
            me.register_rpc_method(name, lambda data, name=name: remember(data, name))
        me.register_rpc_method("lk.clear_buffer", lambda _: "ok")
        for name in ("avaluma.gesture", "avaluma.set_mood"):
            me.register_rpc_method(name, lambda data, name=name: self._express(name, data))
        source = rtc.VideoSource(WIDTH, HEIGHT)
        pixels = bytes(WIDTH * HEIGHT * 3 // 2)
        source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, pixels))
        track = rtc.LocalVideoTrack.create_video_track("picture", source)
        await me.publish_track(track, rtc.TrackPublishOptions(simulcast=False))

    def _express(self, name: str, data: rtc.RpcInvocationData) -> str:
        self.asked.put_nowait((name, json.loads(data.payload)))
        return "ok"

    def _on_stream(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        task = asyncio.create_task(self._play(reader, sender), name="small_avatar.play")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        assert reader.info.attributes is not None
        self.rates.append(reader.info.attributes["sample_rate"])
        self.streams.append(reader.info.stream_id)
        started = False
        async for chunk in reader:
            self.heard += chunk
            if not started:
                started = True
                await self._call(sender, "lk.playback_started", "")
        await self.finish.wait()
        answer = {"playback_position": len(self.heard) / 32000, "interrupted": False}
        await self._call(sender, "lk.playback_finished", json.dumps(answer))

    async def _call(self, identity: str, method: str, payload: str) -> None:
        await self.room.local_participant.perform_rpc(
            destination_identity=identity, method=method, payload=payload
        )

    async def leave(self) -> None:
        await self.room.disconnect()
        self.left.set()


@asynccontextmanager
async def avatar_server() -> AsyncIterator[tuple[str, SmallAvatar]]:
    avatar = SmallAvatar()

    async def start(request: web.Request) -> web.Response:
        body = await request.json()
        await avatar.join(body["livekit_url"], body["livekit_token"])
        return web.json_response({"session_id": "sess_1", "features": ["playback_started"]})

    async def stop(request: web.Request) -> web.Response:
        avatar.stops.append(await request.json())
        await avatar.leave()
        return web.json_response({"status": "stopped"})

    app = web.Application()
    app.router.add_post("/v1/livekit/start-avatar", start)
    app.router.add_post("/v1/livekit/stop-avatar", stop)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", avatar
    finally:
        if not avatar.left.is_set():
            await avatar.leave()
        await runner.cleanup()


async def bring(
    plugin: AvatarSession, session: AgentSession[Any], room: rtc.Room, server: LiveKitServer
) -> None:
    """Start an avatar as a user's agent does, and wait for its picture."""
    await plugin.start(
        session,
        room,
        livekit_url=server.url,
        livekit_api_key=server.api_key,
        livekit_api_secret=server.api_secret,
    )
    await plugin.wait_for_join(timeout=10)


async def test_the_plugin_brings_an_avatar_speaks_through_it_and_takes_it_away(
    livekit_server: LiveKitServer,
) -> None:
    name = fresh_room()
    agent_room = rtc.Room()
    async with avatar_server() as (url, avatar), utils.http_context.open():
        await agent_room.connect(livekit_server.url, agent_token(livekit_server, name))
        session: AgentSession[Any] = AgentSession()
        plugin = AvatarSession(avatar_server_url=url, avatar_id="demo")
        await bring(plugin, session, agent_room, livekit_server)
        seen = agent_room.remote_participants["avatar-demo"]
        assert seen.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        assert seen.attributes["lk.publish_on_behalf"] == agent_room.local_participant.identity
        assert seen.attributes["avaluma.speech_from"] == "agents"

        async with asyncio.timeout(10):
            told = [await avatar.states.get(), await avatar.states.get()]
        assert told == [
            ("user_state_changed", "listening"),
            ("agent_state_changed", "initializing"),
        ]

        sink = session.output.audio
        assert sink is not None
        starts: list[object] = []
        sink.on("playback_started", starts.append)
        pcm = bytes(range(256)) * 125  # 1 s at 16 kHz
        for at in range(0, len(pcm), 3200):
            await sink.capture_frame(rtc.AudioFrame(pcm[at : at + 3200], 16000, 1, 1600))
        sink.flush()
        avatar.finish.set()
        played = await asyncio.wait_for(sink.wait_for_playout(), 10)
        assert (played.playback_position, played.interrupted) == (1.0, False)
        assert avatar.heard == pcm
        assert avatar.rates == ["16000"]
        assert len(starts) == 1

        left = asyncio.Event()
        agent_room.on("participant_disconnected", lambda _: left.set())
        await plugin.aclose()
        assert avatar.stops == [{"session_id": "sess_1"}]
        await asyncio.wait_for(left.wait(), 10)
        assert session.output.audio is None
        await agent_room.disconnect()


async def test_an_avatar_that_dies_frees_the_speech_that_was_under_way(
    livekit_server: LiveKitServer,
) -> None:
    name = fresh_room()
    agent_room = rtc.Room()
    async with avatar_server() as (url, avatar), utils.http_context.open():
        await agent_room.connect(livekit_server.url, agent_token(livekit_server, name))
        session: AgentSession[Any] = AgentSession()
        plugin = AvatarSession(avatar_server_url=url, avatar_id="demo", on_avatar_lost="text_only")
        await bring(plugin, session, agent_room, livekit_server)
        left = asyncio.Event()
        plugin.on("avatar_left", left.set)
        sink = session.output.audio
        assert sink is not None
        await sink.capture_frame(rtc.AudioFrame(bytes(3200), 16000, 1, 1600))
        sink.flush()
        await avatar.leave()
        await asyncio.wait_for(left.wait(), 10)
        assert (await asyncio.wait_for(sink.wait_for_playout(), 15.0)).interrupted
        assert session.output.audio is None
        await plugin.aclose()
        await agent_room.disconnect()


async def test_an_expression_at_a_second_names_the_speech_that_it_belongs_to(
    livekit_server: LiveKitServer,
) -> None:
    agent_room = rtc.Room()
    async with avatar_server() as (url, avatar), utils.http_context.open():
        await agent_room.connect(livekit_server.url, agent_token(livekit_server, fresh_room()))
        session: AgentSession[Any] = AgentSession()
        plugin = AvatarSession(avatar_server_url=url, avatar_id="demo")
        await bring(plugin, session, agent_room, livekit_server)
        sink = session.output.audio
        assert sink is not None
        frame = rtc.AudioFrame(bytes(3200), 16000, 1, 1600)

        await plugin.gesture("nod", at=0.05)  # no speech is being sent: the next one
        await sink.capture_frame(frame)
        await plugin.set_mood("happy", intensity=0.5, at=0.1)
        sink.flush()
        async with asyncio.timeout(10):
            asked = dict([await avatar.asked.get(), await avatar.asked.get()])
        place = {"stream": avatar.streams[0]}
        assert asked == {
            "avaluma.gesture": {"gesture": "nod", "at": 0.05, **place},
            "avaluma.set_mood": {
                "mood": "happy",
                "intensity": 0.5,
                "fade": 0.4,
                "at": 0.1,
                **place,
            },
        }
        await plugin.aclose()
        await agent_room.disconnect()


async def test_a_dispatch_that_nobody_takes_is_taken_back_from_a_real_server(
    livekit_server: LiveKitServer,
) -> None:
    name = fresh_room()
    agent_room = rtc.Room()
    async with utils.http_context.open() as http:
        await agent_room.connect(livekit_server.url, agent_token(livekit_server, name))
        plugin = AvatarSession(
            agent_name="nobody-is-called-so", conn_options=APIConnectOptions(timeout=1.0)
        )
        with pytest.raises(AvatarDispatchError, match="nobody-is-called-so"):
            await plugin.start(
                AgentSession(),
                agent_room,
                livekit_url=livekit_server.url,
                livekit_api_key=livekit_server.api_key,
                livekit_api_secret=livekit_server.api_secret,
            )
        service = api.LiveKitAPI(
            livekit_server.url, livekit_server.api_key, livekit_server.api_secret, session=http
        )
        # The server lists one of its own, without a name, for every room.
        left = await service.agent_dispatch.list_dispatch(name)
        assert "nobody-is-called-so" not in [dispatch.agent_name for dispatch in left]
        await agent_room.disconnect()
