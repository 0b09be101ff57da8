"""Our low-delay resampling agrees with a block-wise library of high quality."""

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from avatar_worker.audio import SpeechDoor
from avatar_worker.audio.polyphase import PolyphaseStream

RATES = [8_000, 11_025, 12_347, 16_000, 22_050, 24_000, 32_000, 44_100, 47_999, 48_000]


def tones(rate: int) -> npt.NDArray[np.int16]:
    """A second of four tones below 3.4 kHz that fades in and out. int16, (rate,)."""
    t = np.arange(rate) / rate
    mix = sum(0.2 * np.sin(2 * np.pi * hz * t + hz) for hz in (220, 997, 2_500, 3_300))
    return np.rint(mix * np.hanning(rate) * 32_767).astype(np.int16)


def snr_db(wanted: npt.NDArray[np.float64], got: npt.NDArray[np.float64]) -> float:
    error = np.mean((wanted - got) ** 2)
    return float(10 * np.log10(np.mean(wanted**2) / max(error, 1e-20)))


@pytest.mark.parametrize("rate", RATES)
def test_both_signals_agree_with_soxr(rate: int) -> None:
    sent = tones(rate)
    door = SpeechDoor(rate, 1)
    first, last = door.push(sent.astype("<i2").tobytes()), door.finish()
    play = np.concatenate([first[0], last[0]]) / 32_768
    analyse = np.concatenate([first[1], last[1]]).astype(float)
    source = sent / 32_768
    assert snr_db(soxr.resample(source, rate, 48_000, quality="VHQ"), play) > 75
    assert snr_db(soxr.resample(source, rate, 16_000, quality="VHQ"), analyse) > 75


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_what_16_khz_cannot_carry_is_removed(rate: int) -> None:
    t = np.arange(rate) / rate
    sent = (0.5 * np.sin(2 * np.pi * 9_500 * t)).astype(np.float32)
    left = PolyphaseStream(rate, 16_000).push(sent)
    assert np.abs(left[500:]).max() < 0.5 * 10 ** (-75 / 20)


@pytest.mark.parametrize("rate", RATES)
def test_the_door_holds_back_no_more_than_8_ms(rate: int) -> None:
    door = SpeechDoor(rate, 1)
    sent = tones(rate).astype("<i2").tobytes()
    step = rate // 50 * 2
    given = 0
    for end in range(step, len(sent) + 1, step):
        given += len(door.push(sent[end - step : end])[1])
        assert end / 2 / rate - given / 16_000 <= 0.008 + 1 / 16_000


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_a_click_stays_where_it_was(rate: int) -> None:
    sent = np.zeros(rate, np.int16)
    sent[rate // 2] = 30_000
    door = SpeechDoor(rate, 1)
    first, last = door.push(sent.tobytes()), door.finish()
    assert np.concatenate([first[0], last[0]]).argmax() == 24_000
    assert np.concatenate([first[1], last[1]]).argmax() == 8_000


def test_a_strange_rate_costs_no_more_memory_than_a_usual_one() -> None:
    assert PolyphaseStream(47_999, 48_000)._bank.nbytes < 1_000_000
