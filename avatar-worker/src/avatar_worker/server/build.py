"""Builds the parts of a real worker from its settings: avatars, engine, rooms, dispatch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.library import AvatarLibrary
from avatar_worker.clock import TICKS_PER_SECOND, MonotonicClock, Ticks, ms
from avatar_worker.config import Settings
from avatar_worker.engine import Engine, PictureOrder, Pipeline
from avatar_worker.errors import AvatarError, DeviceError, PictureError
from avatar_worker.features import Audio2Face
from avatar_worker.frames import ANALYSIS_RATE
from avatar_worker.render import Renderer
from avatar_worker.render.choose import make_renderer, most_at_once
from avatar_worker.room.dispatch import DispatchDoor, DispatchOptions
from avatar_worker.room.join import joiner
from avatar_worker.room.presence import LeaveRules
from avatar_worker.room.room_session import RoomOptions
from avatar_worker.room.tracks_out import VideoOptions

from .worker import AvatarEntry, Worker

DEMO_AVATAR: Final = "demo"
WARM_UP: Final = ms(60_000)


class Shelf:
    """The library as the doors see it: file reading stays off the event loop."""

    def __init__(self, library: AvatarLibrary) -> None:
        self._library = library

    async def open(self, avatar_id: str) -> Avatar:
        """Return an avatar from the disk or the cache.

        Raises:
            AvatarError: If there is none of this id, or it cannot be used.
        """
        return await asyncio.to_thread(self._library.open, avatar_id)

    def entries(self) -> Sequence[AvatarEntry]:
        """Return every avatar that can be used, by id."""
        return [
            AvatarEntry(id=entry.id, title=entry.title, size=entry.size, fps=entry.fps)
            for entry in self._library.list()
            if entry.ok
        ]


def room_options(settings: Settings) -> RoomOptions:
    """Return what holds for every room of this worker."""

    def span(value: float) -> int:
        return round(value * 1000)

    return RoomOptions(
        rules=LeaveRules(
            agent_gone=ms(span(settings.agent_gone_grace)),
            agent_never_came=ms(span(settings.agent_never_came_grace)),
            alone=ms(span(settings.alone_grace)),
        ),
        video=VideoOptions(max_bitrate=settings.video_bitrate),
        hear_caller=settings.hear_caller,
    )


def build_worker(settings: Settings, renderer: Renderer | None = None) -> Worker:
    """Return the parts of a real worker.

    Args:
        settings: The operator's.
        renderer: Draws; by default the one that the settings name.

    Raises:
        ConfigError: If they cannot be made from these settings.
        DeviceError: If the device does not work.
    """
    clock = MonotonicClock()
    audio2face = Audio2Face(look_ahead=ms(settings.look_ahead_ms))
    renderer = renderer or make_renderer(settings.renderer)
    pipeline = Pipeline(renderer, audio2face)
    engine = Engine(pipeline, max_batch=most_at_once(renderer), clock=clock)
    library = AvatarLibrary(settings.avatars)
    _warm_up(engine, library, settings.default_avatar or DEMO_AVATAR)
    options = room_options(settings)

    async def watch() -> None:
        await asyncio.to_thread(engine.wait_ended)
        raise DeviceError(engine.stopped())

    async def aclose() -> None:
        await asyncio.to_thread(engine.close)

    return Worker(
        avatars=Shelf(library),
        join=joiner(engine, clock, options),
        dispatch=_dispatch_door(settings, library, engine, clock, options),
        checks=(lambda: "render engine stopped" if engine.stopped() else None,),
        failures=engine.failures,
        watch=watch,
        aclose=aclose,
    )


def _warm_up(engine: Engine, library: AvatarLibrary, avatar_id: str) -> None:
    """Draw one speaking picture before the first session comes: it loads, or compiles, every loop."""
    with suppress(AvatarError, PictureError):
        avatar = library.open(avatar_id)
        done = threading.Event()
        opening = engine.open(
            avatar,
            seed=0,
            drawn=lambda order, frame: done.set(),
            failed=lambda error: done.set(),
        )
        seat = opening.result()
        now = MonotonicClock().now()
        still = np.zeros(ANALYSIS_RATE // 25, np.float32)
        order = PictureOrder(pts=now, speaking=True, analysis=still)
        seat.submit(order, deadline=Ticks(now + WARM_UP))
        done.wait(WARM_UP / TICKS_PER_SECOND)
        seat.close()


def _dispatch_door(
    settings: Settings,
    library: AvatarLibrary,
    engine: Engine,
    clock: MonotonicClock,
    options: RoomOptions,
) -> DispatchDoor | None:
    if not settings.can_dispatch:
        return None
    assert settings.livekit_url
    assert settings.livekit_api_key
    assert settings.livekit_api_secret
    return DispatchDoor(
        DispatchOptions(
            agent_name=settings.agent_name,
            url=settings.livekit_url,
            api_key=settings.livekit_api_key,
            api_secret=settings.livekit_api_secret.get_secret_value(),
            capacity=settings.max_sessions,
            default_avatar=settings.default_avatar or DEMO_AVATAR,
            speech_from=settings.dispatch_speech_from,
            speech_from_max=settings.speech_from_max,
            max_duration=settings.max_duration,
        ),
        open_avatar=library.open,
        engine=engine,
        clock=clock,
        room_options=options,
    )
