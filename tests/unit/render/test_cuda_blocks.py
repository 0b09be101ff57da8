"""Memory of pictures is used again, but never while somebody may look at it."""

from __future__ import annotations

import gc
import threading

import numpy as np
from hypothesis import given, settings, strategies as st

from avatar_worker.render.cuda.blocks import MOST_BYTES, Blocks


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_comes_back_when_its_picture_is_gone() -> None:
    blocks = Blocks()
    one = blocks.array(1000)
    where = address(one)
    del one
    assert blocks.nbytes == 1000
    assert address(blocks.array(1000)) == where


def test_memory_stays_while_any_view_of_it_lives() -> None:
    blocks = Blocks()
    whole = blocks.array(1000)
    whole[:] = 7
    part = whole[100:200].reshape(10, 10)[2:4]
    del whole
    gc.collect()
    blocks.array(1000)[:] = 9
    assert (part == 7).all()
    assert blocks.nbytes == 1000
    del part
    assert blocks.nbytes == 2000


def test_pictures_may_be_written_to() -> None:
    assert Blocks().array(10).flags.writeable


def test_sizes_are_not_mixed_up_and_can_be_forgotten() -> None:
    blocks = Blocks()
    small, large = blocks.array(100), blocks.array(300)
    assert (small.shape, large.shape) == ((100,), (300,))
    del small, large
    blocks.keep([300, 700])
    assert blocks.nbytes == 300


def test_what_is_kept_for_later_is_bounded() -> None:
    blocks = Blocks()
    size = MOST_BYTES // 4
    many = [blocks.array(size) for _ in range(7)]
    del many
    assert blocks.nbytes == 4 * size


def test_memory_may_come_back_from_another_thread() -> None:
    blocks = Blocks()
    pictures = [blocks.array(100) for _ in range(50)]
    thread = threading.Thread(target=pictures.clear)
    thread.start()
    thread.join()
    assert blocks.nbytes == 5000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
@settings(deadline=None)
def test_no_two_pictures_share_memory(moves: list[tuple[bool, int]]) -> None:
    """True makes a picture, False drops one of those that live."""
    blocks = Blocks()
    alive: list[tuple[np.ndarray, int]] = []
    for number, (making, which) in enumerate(moves):
        if making:
            picture = blocks.array(64)
            picture[:] = number
            alive.append((picture, number))
            del picture
        elif alive:
            alive.pop(which % len(alive))
    assert all((picture == number).all() for picture, number in alive)
    assert len({address(picture) for picture, _ in alive}) == len(alive)
