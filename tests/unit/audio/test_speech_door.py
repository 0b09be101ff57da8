"""What the door for speech refuses, and what it does with whole and half samples."""

import numpy as np
import pytest

from avatar_worker.audio import SpeechDoor
from avatar_worker.errors import PeerError


@pytest.mark.parametrize("rate", [0, -1, 7_999, 48_001, 96_000, 2**31])
def test_a_rate_that_speech_does_not_have_is_the_senders_fault(rate: int) -> None:
    with pytest.raises(PeerError, match="samples per second cannot be played"):
        SpeechDoor(rate, 1)


@pytest.mark.parametrize("channels", [0, -1, 3, 8])
def test_speech_is_mono_or_stereo(channels: int) -> None:
    with pytest.raises(PeerError, match=f"not {channels}"):
        SpeechDoor(24_000, channels)


def test_at_48_khz_the_sound_passes_bit_for_bit() -> None:
    sent = np.random.default_rng(0).integers(-32_768, 32_768, 4_800, np.int16)
    door = SpeechDoor(48_000, 1)
    first, last = door.push(sent.tobytes()), door.finish()
    assert np.array_equal(np.concatenate([first[0], last[0]]), sent)


def test_at_16_khz_the_net_hears_exactly_what_was_sent() -> None:
    sent = np.random.default_rng(0).integers(-32_768, 32_768, 1_600, np.int16)
    door = SpeechDoor(16_000, 1)
    first, last = door.push(sent.tobytes()), door.finish()
    heard = np.concatenate([first[1], last[1]])
    assert np.array_equal(heard, sent.astype(np.float32) / 32_768)


def test_two_channels_are_averaged() -> None:
    left = np.full(4_800, 1_000, np.int16)
    door = SpeechDoor(48_000, 2)
    play, _ = door.push(np.stack([left, -left // 2], axis=1).tobytes())
    assert set(play.tolist()) == {250}


def test_no_overshoot_wraps_around() -> None:
    square = np.repeat(np.tile(np.array([-32_768, 32_767], np.int16), 40), 30)
    door = SpeechDoor(24_000, 1)
    first, last = door.push(square.tobytes()), door.finish()
    play = np.concatenate([first[0], last[0]])
    middles = play[300:-300].reshape(-1, 60)[:, 20:40]
    assert (np.abs(middles.astype(int)) > 25_000).all()
    assert np.abs(np.concatenate([first[1], last[1]])).max() <= 1


def test_an_empty_segment_is_empty() -> None:
    door = SpeechDoor(22_050, 1)
    play, analyse = door.finish()
    assert len(play) == len(analyse) == 0


def test_a_single_byte_is_no_sound() -> None:
    door = SpeechDoor(22_050, 1)
    assert len(door.push(b"\x01")[0]) == 0
    assert len(door.finish()[0]) == 0


def test_a_door_serves_one_segment() -> None:
    door = SpeechDoor(24_000, 1)
    door.finish()
    with pytest.raises(ValueError, match="finished"):
        door.push(b"\0\0")
    with pytest.raises(ValueError, match="finished"):
        door.finish()


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 48_000])
def test_what_it_keeps_does_not_grow(rate: int) -> None:
    door = SpeechDoor(rate, 1)
    second = np.zeros(rate, np.int16).tobytes()
    for _ in range(20):
        door.push(second)
    waiting = door._play.nbytes + door._analyse.nbytes
    filters = door._to_play._kept.nbytes + door._to_analyse._kept.nbytes
    assert waiting + filters < 16_384
