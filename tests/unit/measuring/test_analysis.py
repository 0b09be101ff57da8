"""Known delays, drifts and positions are found in made-up recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.avsync import Skew
from benchmarks.measuring import analysis, stimulus
from benchmarks.measuring.marks import Marks
from benchmarks.measuring.recording import Recorded, Recording, read, steady

COUNT = 30


def record(
    path: Path,
    *,
    late: float = 0.0,
    drift: float = 0.0,
    seed: int = 1,
    jitter: float = 0.0,
    later: float = 0.0,
    pcm: np.ndarray | None = None,
) -> Recorded:
    """A perfect avatar whose pictures are `late`, by `drift` a second more; its sound is `later`."""
    sound, _ = stimulus.bursts(COUNT, seed=seed)
    sound = sound if pcm is None else pcm
    rng = np.random.default_rng(5)
    seen = Recording()
    for number in range(len(sound) // 960):
        part = sound[960 * number : 960 * (number + 1)].astype(np.float64) / 32768
        at = 100 + number / 25
        loud = bool(np.sqrt(np.mean(part**2)) > 0.03)
        marks = Marks(number % 65_536, loud=loud, speaking=True)
        seen.picture(at + late + drift * number / 25, marks)
    wide = np.repeat(sound, 2)
    for number in range(len(wide) // 480):
        delayed = rng.exponential(jitter) if jitter and number % 7 else 0.0
        seen.sound(100 + later + number / 100 + delayed, wide[480 * number : 480 * (number + 1)])
    seen.streams.append(99.5)
    seen.delays["video_decode_ms"] = 1.5
    seen.write(path / "made.npz")
    return read(path / "made.npz")


def skew(of: Recorded) -> np.ndarray:
    sounds = analysis.sound_onsets(of)
    return analysis.pair(analysis.picture_onsets(of), sounds)[1]


@pytest.mark.parametrize("late", [-0.06, 0.0, 0.023, 0.08, 0.2])
def test_a_delay_of_pictures_is_read_to_a_few_milliseconds(tmp_path: Path, late: float) -> None:
    found = skew(record(tmp_path, late=late))
    assert len(found) == COUNT
    # The -6 dB point lies in the 5 ms edge of the burst.
    assert np.abs(found - late).max() <= 0.004


def test_jitter_of_an_event_loop_is_taken_out(tmp_path: Path) -> None:
    found = skew(record(tmp_path, jitter=0.015))
    assert np.abs(found).max() <= 0.004


def test_a_drift_is_read(tmp_path: Path) -> None:
    made = record(tmp_path, drift=0.0005)
    times, found = analysis.pair(analysis.picture_onsets(made), analysis.sound_onsets(made))
    grown = analysis.drift_ms(times, found, 1_800)
    assert grown is not None
    assert grown == pytest.approx(900, rel=0.1)
    assert analysis.drift_ms(times[:3], found[:3], 1_800) is None


def test_the_sound_of_another_run_is_not_found(tmp_path: Path) -> None:
    ours = record(tmp_path)
    other = record(tmp_path, seed=2)
    own = analysis.pair(analysis.picture_onsets(ours), analysis.sound_onsets(ours))[1]
    foreign = analysis.pair(analysis.picture_onsets(ours), analysis.sound_onsets(other))[1]
    assert analysis.agreement(own, COUNT) == 1.0
    assert analysis.agreement(foreign, COUNT) <= 0.4
    assert analysis.agreement(np.empty(0), COUNT) == 0.0


def test_bursts_begin_on_pictures_with_random_gaps() -> None:
    pcm, onsets = stimulus.bursts(50, seed=8)
    gaps = np.diff(onsets) - 0.12
    assert gaps.min() >= 0.8 - 1e-9
    assert gaps.max() <= 1.6 + 1e-9
    assert len(np.unique(np.round(gaps, 3))) > 10
    for onset in onsets:
        at = round(onset * stimulus.RATE)
        assert at % stimulus.PICTURE == 0
        assert not pcm[at - 100 : at].any()
        assert np.abs(pcm[at + stimulus.EDGE : at + 1_000]).max() > 16_000


@pytest.mark.parametrize("heard", [0.05, 0.25, 0.333, 1.07, 2.001, 3.689])
def test_the_ruler_tells_how_much_of_it_was_heard(tmp_path: Path, heard: float) -> None:
    ruler = stimulus.ruler(4.0)
    ruler[round(heard * stimulus.RATE) :] = 0
    made = record(tmp_path, pcm=np.concatenate([ruler, np.zeros(12_000, np.int16)]))
    assert analysis.ruler_position(made, 0, 1_000) == pytest.approx(heard, abs=0.0015)


def test_the_ruler_does_not_mind_stretched_steps_before_the_last(tmp_path: Path) -> None:
    ruler = stimulus.ruler(1.05)
    step = stimulus.RATE // 10
    stretched = np.concatenate([ruler[:1_000], ruler[: step - 240], ruler[step - 240 :]])
    made = record(tmp_path, pcm=np.concatenate([stretched, np.zeros(12_000, np.int16)]))
    assert analysis.ruler_position(made, 0, 1_000) == pytest.approx(1.05, abs=0.0015)


def test_the_ruler_does_not_take_a_hole_for_a_notch(tmp_path: Path) -> None:
    ruler = stimulus.ruler(1.05)
    hole = np.zeros(480, np.int16)
    torn = np.concatenate([ruler[:9_840], hole, ruler[9_840:], np.zeros(12_000, np.int16)])
    made = record(tmp_path, pcm=torn)
    assert analysis.ruler_position(made, 0, 1_000) == pytest.approx(1.05, abs=0.0015)


def test_nothing_heard_has_no_position(tmp_path: Path) -> None:
    made = record(tmp_path, pcm=np.zeros(24_000, np.int16))
    assert analysis.ruler_position(made, 0, 1_000) is None
    assert analysis.last_loud(made, 0, 1_000) is None


def test_the_end_of_sound_is_found(tmp_path: Path) -> None:
    sound = np.concatenate([stimulus.ruler(0.55), np.zeros(12_000, np.int16)])
    made = record(tmp_path, pcm=sound)
    assert analysis.last_loud(made, 100, 101) == pytest.approx(100.55, abs=0.0015)


def test_the_first_time_after_a_moment() -> None:
    times = np.array([1.0, 2.0, 3.0])
    assert analysis.first_after(times, 1.5, 1.0) == 2.0
    assert analysis.first_after(times, 1.5, 0.4) is None
    assert analysis.first_after(times, 3.5, 1.0) is None


def test_percentiles_are_in_milliseconds() -> None:
    found = analysis.spread([0.001 * n for n in range(1, 101)], "x_ms")
    assert found["x_ms_p50"] == 50.5
    assert found["x_ms_max"] == 100.0
    assert analysis.spread([], "x_ms")["x_ms_p99"] is None


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = record(tmp_path)
    assert made.streams.tolist() == [99.5]
    assert made.delays == {"video_decode_ms": 1.5}
    assert made.counts[:5].tolist() == [0, 1, 2, 3, 4]
    assert len(made.times) == len(made.envelope)
    assert steady(np.empty(0)).size == 0


def test_the_way_of_sound_from_one_process_to_another_is_read(tmp_path: Path) -> None:
    sent = record(tmp_path)
    (tmp_path / "viewer").mkdir()
    heard = record(tmp_path / "viewer", later=0.07)
    everything = (0.0, 1_000.0)
    assert Skew(heard).sound_since(Skew(sent), everything) == pytest.approx(70, abs=1)
    assert Skew(sent).sound_since(Skew(sent), everything) == pytest.approx(0, abs=1)
    assert Skew(heard).sound_since(Skew(sent), (0.0, 1.0)) == 0.0
