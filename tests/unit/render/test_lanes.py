"""Numbers side by side reckon as each would alone."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from avatar_worker.render.lanes import (
    along,
    clamped,
    eight_of,
    evens,
    four_and_four_of,
    gathered,
    odds,
    put,
    put_four_and_four,
)
from avatar_worker.render.sampling import bilinear, laid_over, two_bilinear

RNG = np.random.default_rng(1)
BYTES = RNG.integers(0, 256, 64, np.uint8)
WORDS = RNG.integers(0, 2**32, 64, np.uint32)


@numba.njit
def reckon(a, b, at, out):
    """Every sign, of bytes, with lanes and with numbers on either side."""
    x, y = eight_of(a, at), eight_of(b, at)
    put(out, 0, x + y)
    put(out, 8, x - y)
    put(out, 16, x * y)
    put(out, 24, x & y)
    put(out, 32, x | y)
    put(out, 40, (x * 37 - 4000) >> 5)
    put(out, 48, 256 - x)
    put(out, 56, clamped(x - 100, 60))


def test_every_sign_is_what_it_is_for_one_number() -> None:
    other, out = RNG.integers(0, 256, 64, np.uint8), np.zeros(64, np.uint8)
    reckon(BYTES, other, 3, out)
    x, y = BYTES[3:11].astype(np.int64), other[3:11].astype(np.int64)
    wanted = (
        x + y,
        x - y,
        x * y,
        x & y,
        x | y,
        (x * 37 - 4000) >> 5,
        256 - x,
        (x - 100).clip(0, 60),
    )
    assert np.array_equal(out, np.concatenate(wanted).astype(np.uint8))


@numba.njit
def read(words, few, order, out):
    """Eight words from the third on, every other one of these and others, bytes from two places."""
    eight, more = eight_of(words, 3), eight_of(words, 20)
    put(out, 0, eight >> 24)
    put(out, 8, evens(eight, more))
    put(out, 16, odds(eight, more))
    put(out, 24, four_and_four_of(few, 5, 40))
    put(out, 32, gathered(words, eight_of(order, 0)))
    put_four_and_four(out, 44, 40, eight)


def test_entries_are_read_in_order_by_twos_and_by_number() -> None:
    order, out = RNG.permutation(64)[:8].astype(np.int32), np.zeros(48, np.uint8)
    read(WORDS, BYTES, order, out)
    eight, more = WORDS[3:11], WORDS[20:28]
    assert np.array_equal(out[:8], (eight >> 24).astype(np.uint8))
    assert np.array_equal(out[8:16], np.r_[eight[::2], more[::2]].astype(np.uint8))
    assert np.array_equal(out[16:24], np.r_[eight[1::2], more[1::2]].astype(np.uint8))
    assert np.array_equal(out[24:32], np.r_[BYTES[5:9], BYTES[40:44]])
    assert np.array_equal(out[32:40], WORDS[order].astype(np.uint8))
    assert np.array_equal(out[40:], np.r_[eight[4:], eight[:4]].astype(np.uint8))


@numba.njit
def line(start, step, bend, out):
    put(out, 0, along(start, step, bend))


def test_a_line_bends_in_its_middle() -> None:
    out = np.zeros(8, np.uint8)
    line(np.int32(10), np.int32(3), np.int32(5), out)
    assert out.tolist() == [10 + 3 * x + 5 * max(x - 4, 0) for x in range(8)]


@numba.njit
def weigh(taps, below, fx, fy, out):
    x, y = eight_of(fx, 0), eight_of(fy, 0)
    put(out, 0, bilinear(eight_of(taps, 0), x, y))
    first, second = two_bilinear(eight_of(taps, 0), eight_of(below, 0), x, y)
    put(out, 8, first)
    put(out, 16, second)
    put(out, 24, laid_over(eight_of(fx, 0), eight_of(fy, 0), eight_of(fx, 8)))


@pytest.mark.parametrize("seed", range(8))
def test_samples_are_weighed_as_in_the_plain_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    taps, below = (rng.integers(0, 2**32, 8, np.uint32) for _ in range(2))
    fx = rng.integers(0, 257, 16).astype(np.uint32).clip(0, 256 if seed else 255)
    fy = rng.choice([0, 1, 127, 255, 256], 8).astype(np.uint32)
    fx[8:] = rng.integers(0, 256, 8)
    out = np.zeros(32, np.uint8)
    weigh(taps, below, fx, fy, out)
    x, y = fx[:8] / 256, fy / 256

    def mixed(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        values = (part.astype(float) for part in (a, b, c, d))
        a, b, c, d = values
        return (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) + d * x) * y

    one, two, three, four = ((taps >> s) & 255 for s in (0, 8, 16, 24))
    under = [(below >> s) & 255 for s in (0, 8, 16, 24)]
    wanted = (
        mixed(one, two, three, four),
        mixed(one, two, under[0], under[1]),
        mixed(three, four, under[2], under[3]),
    )
    assert np.abs(out[:24] - np.concatenate(wanted)).max() <= 0.51
    back, front, share = fx[:8] & 255, fy & 255, fx[8:]
    if not (fx[:8] > 255).any() and not (fy > 255).any():
        mean = (front * share.astype(float) + back * (255.0 - share)) / 255
        assert np.abs(out[24:] - mean).max() <= 0.51
