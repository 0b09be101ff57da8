"""The thread that draws gives way to the threads that send sound, and to nothing else's harm."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from avatar_worker.engine import Engine
from avatar_worker.engine.pipeline import Pipeline
from avatar_worker.engine.priority import DRAWING, yield_to_sound
from avatar_worker.features import Audio2Face
from fakes.plain_renderer import PlainRenderer


def nice(thread_id: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread_id)


def test_only_the_calling_thread_becomes_nicer() -> None:
    def becomes() -> int:
        yield_to_sound()
        return nice(threading.get_native_id())

    before = nice(threading.get_native_id())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(becomes).result() == max(DRAWING, before)
    assert nice(threading.get_native_id()) == before


def test_doing_it_twice_changes_nothing_more() -> None:
    def twice() -> int:
        yield_to_sound()
        yield_to_sound()
        return nice(threading.get_native_id())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(twice).result() >= DRAWING


def test_the_engine_draws_on_such_a_thread() -> None:
    engine = Engine(Pipeline(PlainRenderer(), Audio2Face()))
    try:
        (thread,) = (t for t in threading.enumerate() if t.name == "avatar-engine")
        assert thread.native_id is not None
        for _ in range(200):
            if nice(thread.native_id) >= DRAWING:
                break
            threading.Event().wait(0.01)
        assert nice(thread.native_id) >= DRAWING
    finally:
        engine.close()
    assert engine.failed is None
