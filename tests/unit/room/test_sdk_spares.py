"""Sound sources that a room's end has stranded are used again, also on another event loop."""

from __future__ import annotations

import asyncio
import threading

import numpy as np

from avatar_worker.room.sdk_spares import SdkSpares
from livekit import rtc

RATE = 48_000


async def fill(source: rtc.AudioSource, milliseconds: int) -> None:
    samples = np.ones(RATE * milliseconds // 1000, np.int16)
    await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples)))


async def test_a_kept_source_is_handed_out_before_a_new_one_is_made() -> None:
    spares = SdkSpares()
    first = spares.source(RATE, 60)
    assert spares.spare() == 0
    spares.keep(first, 60)
    assert spares.spare() == 1
    assert spares.source(RATE, 60) is first
    assert spares.source(RATE, 60) is not first
    assert spares.spare() == 0


async def test_a_source_of_another_kind_is_not_handed_out() -> None:
    spares = SdkSpares()
    spares.keep(spares.source(RATE, 60), 60)
    assert spares.source(24_000, 60).sample_rate == 24_000
    longer = spares.source(RATE, 200)
    spares.keep(longer, 200)
    assert spares.spare() == 2
    assert spares.source(RATE, 200) is longer


async def test_what_was_queued_is_gone_when_the_next_one_takes_it() -> None:
    spares = SdkSpares()
    source = spares.source(RATE, 60)
    await fill(source, 40)
    assert source.queued_duration > 0.02
    spares.keep(source, 60)
    assert spares.source(RATE, 60).queued_duration == 0.0


def test_a_source_goes_on_under_another_event_loop() -> None:
    spares = SdkSpares()

    async def strand() -> None:
        source = spares.source(RATE, 60)
        await fill(source, 40)
        spares.keep(source, 60)

    async def use() -> rtc.AudioSource:
        source = spares.source(RATE, 60)
        async with asyncio.timeout(10):
            for _ in range(5):
                await fill(source, 40)
        return source

    asyncio.run(strand())
    used = asyncio.run(use())
    assert isinstance(used, rtc.AudioSource)
    assert spares.spare() == 0


def test_many_threads_never_share_a_source() -> None:
    spares = SdkSpares()
    held: list[rtc.AudioSource] = []
    shared: list[rtc.AudioSource] = []
    lock = threading.Lock()

    async def take_and_keep() -> None:
        for _ in range(50):
            source = spares.source(RATE, 60)
            with lock:
                shared.extend(other for other in held if other is source)
                held.append(source)
            await asyncio.sleep(0)
            with lock:
                held.remove(source)
            spares.keep(source, 60)

    threads = [threading.Thread(target=lambda: asyncio.run(take_and_keep())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not shared
    assert 1 <= spares.spare() <= 4


async def test_only_the_first_room_that_ends_is_held() -> None:
    spares = SdkSpares()
    first, second = rtc.Room(), rtc.Room()
    first._ffi_handle, second._ffi_handle = handles = object(), object()  # type: ignore[assignment]
    spares.hold_runtime(first)
    spares.hold_runtime(second)
    first._ffi_handle = second._ffi_handle = None  # these rooms were never joined
    assert spares._anchor is handles[0]
