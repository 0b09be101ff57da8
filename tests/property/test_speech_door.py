"""However the bytes are cut, the door gives the same sound, of the same length."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings, strategies as st

from avatar_worker.audio import SpeechDoor

Sound = tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
ANY_RATE = RATES | st.integers(8_000, 48_000)


def joined(parts: list[Sound]) -> Sound:
    return np.concatenate([p for p, _ in parts]), np.concatenate([a for _, a in parts])


def through(door: SpeechDoor, pieces: list[bytes]) -> Sound:
    parts = [door.push(piece) for piece in pieces]
    parts.append(door.finish())
    for play, analyse in parts:
        assert play.dtype == np.int16
        assert analyse.dtype == np.float32
        assert len(play) == 3 * len(analyse)
    return joined(parts)


def speech(frames: int, channels: int, seed: int) -> bytes:
    noise = np.random.default_rng(seed)
    return noise.integers(-32_768, 32_768, (frames, channels), np.int16).astype("<i2").tobytes()


@given(rate=RATES, channels=st.integers(1, 2), frames=st.integers(0, 3_000), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_cut_anywhere_changes_nothing(
    rate: int, channels: int, frames: int, data: st.DataObject
) -> None:
    sent = speech(frames, channels, seed=frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    pieces = [sent[a:b] for a, b in pairwise([0, *cuts, len(sent)])]
    whole_play, whole_analyse = through(SpeechDoor(rate, channels), [sent])
    play, analyse = through(SpeechDoor(rate, channels), pieces)
    assert np.array_equal(play, whole_play)
    assert np.array_equal(analyse, whole_analyse)


@given(rate=ANY_RATE, channels=st.integers(1, 2), frames=st.integers(0, 4_000))
@settings(max_examples=60, deadline=None)
def test_speech_lasts_as_long_as_it_was_sent(rate: int, channels: int, frames: int) -> None:
    play, analyse = through(SpeechDoor(rate, channels), [speech(frames, channels, seed=1)])
    assert abs(len(analyse) / 16_000 - frames / rate) <= 0.5 / 16_000 + 1e-12
    assert len(play) == 3 * len(analyse)


@given(rate=RATES, tail=st.binary(min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_a_sample_that_never_ends_is_dropped(rate: int, tail: bytes) -> None:
    sent = speech(500, 2, seed=2)
    play, analyse = through(SpeechDoor(rate, 2), [sent + tail])
    whole_play, whole_analyse = through(SpeechDoor(rate, 2), [sent])
    assert np.array_equal(play, whole_play)
    assert np.array_equal(analyse, whole_analyse)


@given(rate=ANY_RATE, level=st.integers(-32_768, 32_767))
@settings(max_examples=40, deadline=None)
def test_a_constant_stays_that_constant(rate: int, level: int) -> None:
    sent = np.full(4_000, level, "<i2").tobytes()
    play, analyse = through(SpeechDoor(rate, 1), [sent])
    middle = slice(len(analyse) // 3, len(analyse) // 2)
    assert np.abs(analyse[middle] - level / 32_768).max() < 1e-5
    assert np.abs(play[3 * middle.start : 3 * middle.stop].astype(int) - level).max() <= 1
