"""A convolution at eight points is the sum that it stands for."""

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.convolving import POINTS, TAPS, at_points, between, entering, leaving

FloatArray = npt.NDArray[np.float32]
BANDS, WIDE = 40, 72


def some(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def written_out(frames: FloatArray, kernel: FloatArray, bias: FloatArray) -> FloatArray:
    """Four frames of eight, tap by tap, summed in double, cut off at 0. (B, 8, in) to (B, 4, out)."""
    said = np.zeros((len(frames), 4, len(bias)))
    for frame in range(4):
        for tap in range(TAPS):
            said[:, frame] += frames[:, frame + tap].astype(np.float64) @ kernel[..., tap].T
    return np.maximum(said + bias, 0).astype(np.float32)


@pytest.mark.parametrize("voices", [1, 2, 9, 64])
def test_four_frames_are_the_sums_of_their_taps(voices: int) -> None:
    mel, kernel, bias = some(voices, 12, BANDS), some(WIDE, BANDS, TAPS, seed=1), some(WIDE)
    asked = entering(mel, np.zeros(BANDS, np.float32))
    assert asked.shape == (POINTS, voices, BANDS)
    ours = leaving(np.matmul(asked, at_points(kernel)), bias)
    wanted = written_out(mel[:, 4:], kernel, bias)
    assert ours.shape == (4 * voices, WIDE)
    # Of sums of 200 products of about 1.
    assert np.abs(ours.reshape(wanted.shape) - wanted).max() < 2e-4
    assert wanted.max() > 10


def test_the_mean_is_taken_from_every_frame() -> None:
    mel, mean = some(3, 12, BANDS), some(BANDS, seed=1)
    plain = entering(mel - mean, np.zeros(BANDS, np.float32))
    assert np.abs(entering(mel, mean) - plain).max() < 1e-5


def test_only_the_newest_eight_frames_are_asked() -> None:
    mel, mean = some(2, 12, BANDS), some(BANDS, seed=1)
    assert np.array_equal(entering(mel, mean), entering(mel[:, 4:].copy(), mean))


@pytest.mark.parametrize("voices", [1, 3])
def test_two_convolutions_in_a_row_follow_on_what_is_remembered(voices: int) -> None:
    memory, mel = some(voices, 10 + 4 * WIDE), some(voices, 20, BANDS, seed=1)
    first, second = some(WIDE, BANDS, TAPS, seed=2) / 14, some(WIDE, WIDE, TAPS, seed=3) / 19
    bias, other = some(WIDE, seed=4), some(WIDE, seed=5)
    mean, kept = np.zeros(BANDS, np.float32), memory[:, :10].copy()
    before = memory[:, 10:].reshape(voices, 4, WIDE).copy()
    for at in range(0, 12, 4):
        heard = mel[:, at : at + 8].copy()
        said = between(np.matmul(entering(heard, mean), at_points(first)), bias, memory)
        ours = leaving(np.matmul(said, at_points(second)), other)
        now = written_out(heard, first, bias)
        both = np.concatenate([before, now], axis=1)
        wanted = written_out(both, second, other)
        assert np.abs(ours.reshape(wanted.shape) - wanted).max() < 3e-5
        assert np.abs(memory[:, 10:].reshape(now.shape) - now).max() < 3e-5
        before = now
    assert np.array_equal(memory[:, :10], kept), "the rest of a memory is not its own"


def test_a_voice_in_a_batch_is_asked_as_alone() -> None:
    mel, mean, bias = some(5, 12, BANDS), some(BANDS, seed=1), some(WIDE)
    together = entering(mel, mean)
    said = some(POINTS, 5, WIDE)
    for row in range(5):
        one = slice(row, row + 1)
        assert np.array_equal(entering(mel[one], mean), together[:, one])
        assert np.array_equal(
            leaving(said[:, one].copy(), bias), leaving(said, bias)[4 * row : 4 * row + 4]
        )


def test_a_steady_sound_is_said_the_same_four_times() -> None:
    mel = np.repeat(some(1, 1, BANDS), 12, axis=1)
    kernel, bias = some(WIDE, BANDS, TAPS, seed=1), some(WIDE)
    asked = entering(mel, np.zeros(BANDS, np.float32))
    frames = leaving(np.matmul(asked, at_points(kernel)), bias)
    assert np.abs(frames - frames[0]).max() < 2e-4


@pytest.mark.parametrize("tap", range(TAPS))
def test_a_single_tap_gives_the_frames_that_it_sees(tap: int) -> None:
    mel = np.abs(some(2, 12, BANDS))
    kernel = np.zeros((BANDS, BANDS, TAPS), np.float32)
    kernel[..., tap] = np.eye(BANDS)
    asked = entering(mel, np.zeros(BANDS, np.float32))
    frames = leaving(np.matmul(asked, at_points(kernel)), np.zeros(BANDS, np.float32))
    seen = mel[:, 4 + tap : 8 + tap]
    assert np.abs(frames.reshape(seen.shape) - seen).max() < 1e-5


def test_what_is_below_zero_is_cut_off_after_the_bias() -> None:
    said, low = np.zeros((POINTS, 2, WIDE), np.float32), np.full(WIDE, -1, np.float32)
    low[0] = 3
    frames = leaving(said, low)
    assert (frames[:, 0] == 3).all()
    assert (frames[:, 1:] == 0).all()


def test_it_rounds_at_most_ten_times_as_coarsely_as_sums_written_out() -> None:
    mel, kernel, bias = some(64, 12, BANDS), some(WIDE, BANDS, TAPS, seed=1), some(WIDE)
    wanted = written_out(mel[:, 4:], kernel, bias)
    asked = entering(mel, np.zeros(BANDS, np.float32))
    ours = leaving(np.matmul(asked, at_points(kernel)), bias).reshape(wanted.shape)
    single = np.zeros_like(wanted)
    for frame in range(4):
        for tap in range(TAPS):
            single[:, frame] += mel[:, 4 + frame + tap] @ kernel[..., tap].T
    single = np.maximum(single + bias, 0)
    assert np.std(ours - wanted) < 10 * np.std(single - wanted)


def test_taps_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        at_points(some(WIDE, BANDS, TAPS + 1))
