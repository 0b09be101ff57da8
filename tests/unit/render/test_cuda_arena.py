"""Avatars side by side in one array of the device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from tests.fakes.cuda_driver import CpuAsGpu

from avatar_worker.errors import DeviceError
from avatar_worker.render.cuda.arena import Arena
from avatar_worker.render.cuda.device import Device
from avatar_worker.render.cuda.driver import Driver

STEP = 16


def content(device: Device, arena: Arena) -> np.ndarray:
    found = device.host(arena.array.size, "i4")
    device.read(arena.array, arena.array.size, found)
    device.mark(0)
    device.wait(0)
    return found


def numbers(seed: int, size: int) -> np.ndarray:
    return np.full(size, seed, np.int32)


def test_what_is_taken_lies_side_by_side() -> None:
    arena = Arena(Device(Driver(CpuAsGpu())), "i4", STEP)
    assert [arena.take(numbers(i, 5)) for i in range(3)] == [0, 5, 10]
    assert (arena.used, arena.array.size) == (15, STEP)


def test_a_gap_is_used_again_if_it_is_wide_enough() -> None:
    arena = Arena(Device(Driver(CpuAsGpu())), "i4", STEP)
    places = [arena.take(numbers(i, 4)) for i in range(4)]
    arena.give_back(places[1])
    assert arena.take(numbers(9, 5)) == 16
    assert arena.take(numbers(9, 3)) == 4
    assert arena.array.size == 2 * STEP


def test_growing_keeps_what_is_there_and_gives_the_old_array_back() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    arena = Arena(device, "i4", STEP)
    arena.take(numbers(3, 10))
    arena.take(numbers(4, 40))
    assert arena.array.size == 4 * STEP
    assert gpu.taken == arena.array.nbytes
    assert content(device, arena)[:50].tolist() == [3] * 10 + [4] * 40


def test_an_arena_that_cannot_grow_keeps_what_it_has() -> None:
    gpu = CpuAsGpu(memory=200)
    device = Device(Driver(gpu))
    arena = Arena(device, "i4", STEP)
    arena.take(numbers(3, 10))
    with pytest.raises(DeviceError, match="OUT_OF_MEMORY"):
        arena.take(numbers(4, 40))
    assert arena.used == 10
    assert arena.take(numbers(5, 6)) == 10
    assert content(device, arena).tolist() == [3] * 10 + [5] * 6


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_nobody_writes_over_anybody(moves: list[tuple[bool, int]]) -> None:
    """True takes so many numbers, False gives one of those back that are there."""
    device = Device(Driver(CpuAsGpu()))
    arena = Arena(device, "i4", STEP)
    there: dict[int, np.ndarray] = {}
    for i, (taking, size) in enumerate(moves):
        if taking:
            there[arena.take(numbers(i, size))] = numbers(i, size)
        elif there:
            place = sorted(there)[size % len(there)]
            arena.give_back(place)
            del there[place]
    now = content(device, arena)
    for place, expected in there.items():
        assert np.array_equal(now[place : place + len(expected)], expected)
    assert arena.used == sum(map(len, there.values()))
