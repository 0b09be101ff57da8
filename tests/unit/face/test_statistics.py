"""Ten minutes of each state, held against what is known about people (the sources are in `manner`).

Numbers that the state asks for come first, then what the voice does to head, brows and lids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, FaceMixer
from avatar_worker.frames import CONTROL_INDEX, FaceControls
from fakes.voice import PAUSE_S, PHRASE_S, MadeUpVoice

MINUTES = 10
FRAME_S = 0.04
PERIOD = 1_920
LEAD_S = 0.08
KS_5_PERCENT = 1.36
"""Kolmogorov-Smirnov: D times the root of n stays below this 95 times of 100."""


@dataclass(frozen=True)
class Asked:
    """What one state asks for: degrees, seconds, shares, times a minute."""

    sigma: tuple[float, float, float]
    at_viewer: tuple[float, float]
    away: tuple[float, float]
    blink_s: float
    breaths: tuple[float, float]


STATES = {
    Activity.IDLE: Asked((0.8, 0.5, 0.6), (0.72, 0.88), (2, 6), 4.0, (12, 16)),
    Activity.LISTENING: Asked((1.2, 0.8, 0.9), (0.85, 0.96), (2, 5), 4.3, (12, 16)),
    Activity.THINKING: Asked((1.0, 0.8, 0.7), (0.0, 0.03), (6, 10), 3.5, (12, 16)),
    Activity.SPEAKING: Asked((2.0, 1.3, 1.5), (0.65, 0.85), (3, 8), 2.7, (12, 18)),
}
states = pytest.mark.parametrize("state", STATES)


class Life:
    """What was seen of one face."""

    def __init__(self, state: Activity, seed: int = 5) -> None:
        self.state = state
        self.asked = STATES[state]
        self.voice = MadeUpVoice(seed)
        mixer = FaceMixer(seed=seed, idle={})
        self.frames: list[FaceControls] = []
        for i in range(MINUTES * 60 * 25):
            now, features = i * FRAME_S, None
            if state is Activity.SPEAKING:
                features = self.voice.features(now)
                begin = now + LEAD_S - FRAME_S if i else 0.0
                for tone in self.voice.tones(begin, now + LEAD_S):
                    mixer.hear(tone)
            self.frames.append(mixer.frame(Ticks(i * PERIOD), features=features, activity=state))

    def channel(self, name: str) -> np.ndarray:
        return np.array([frame.weights[CONTROL_INDEX[name]] for frame in self.frames])

    def head(self) -> np.ndarray:
        """Yaw, pitch, roll. (n, 3)."""
        return np.array([(f.head.yaw, f.head.pitch, f.head.roll) for f in self.frames])

    def looks_at(self) -> np.ndarray:
        """Where the eyes point in the room, degrees. (n, 2)."""
        x = 30 * (self.channel("eyeLookOutLeft") - self.channel("eyeLookInLeft"))
        y = 30 * self.channel("eyeLookDownLeft") - 25 * self.channel("eyeLookUpLeft")
        return np.stack([x, y], 1) + self.head()[:, :2]

    def blinks(self) -> np.ndarray:
        """When the lids begin to fall, seconds."""
        closed = self.channel("eyeBlinkLeft")
        return FRAME_S * (np.flatnonzero((closed[1:] > 0) & (closed[:-1] == 0)) + 1)

    def around_accents(self, values: np.ndarray, before: float, after: float) -> np.ndarray:
        """The mean course of `values` about the pitch peaks of the voice, each 10 ms."""
        moments = np.arange(len(values)) * FRAME_S
        offsets = np.arange(-before, after, 0.01)
        peaks = [p for p in self.voice.peaks if 5 < p < MINUTES * 60 - 2]
        return np.mean([np.interp(p + offsets, moments, values) for p in peaks], axis=0)


@pytest.fixture(scope="module")
def lives() -> dict[Activity, Life]:
    return {state: Life(state) for state in STATES}


def log_normal_fit(times: np.ndarray, mean: float, cv: float) -> float:
    """Return D times the root of n against the log-normal of that mean and variation."""
    variance = math.log1p(cv * cv)
    logs = (np.log(np.sort(times)) - math.log(mean) + variance / 2) / math.sqrt(variance)
    wanted = np.array([(1 + math.erf(z / math.sqrt(2))) / 2 for z in logs])
    ranks = np.arange(1, len(times) + 1) / len(times)
    worst = max(np.abs(wanted - ranks).max(), np.abs(wanted - ranks + 1 / len(times)).max())
    return float(worst * math.sqrt(len(times)))


@states
def test_blink_intervals_are_log_normal_with_the_mean_of_the_state(
    lives: dict[Activity, Life], state: Activity
) -> None:
    intervals, mean = np.diff(lives[state].blinks()), STATES[state].blink_s
    assert intervals.mean() == pytest.approx(mean, rel=0.12)
    assert 0.5 < intervals.std() / intervals.mean() < 0.75
    assert log_normal_fit(intervals, mean, 0.65) < KS_5_PERCENT


@states
def test_blink_rates_are_those_of_people(lives: dict[Activity, Life], state: Activity) -> None:
    # Doughty (2001): 95 of 100 people; looking at somebody, and in conversation.
    low, high = (10.5, 32.5) if state is Activity.SPEAKING else (8, 21)
    assert low <= len(lives[state].blinks()) / MINUTES <= high


@states
def test_the_viewer_is_looked_at_as_long_as_the_state_asks_for(
    lives: dict[Activity, Life], state: Activity
) -> None:
    low, high = STATES[state].at_viewer
    assert low <= (np.hypot(*lives[state].looks_at().T) < 1.8).mean() <= high


@states
def test_looks_elsewhere_are_as_large_as_the_state_asks_for(
    lives: dict[Activity, Life], state: Activity
) -> None:
    away = np.hypot(*lives[state].looks_at()[25:].T)
    away = away[away > 1.8]
    low, high = STATES[state].away
    # What trembles about the place it looks at is up to a degree off it.
    assert np.percentile(away, 3) > low - 1
    assert np.percentile(away, 97) < high + 1
    assert low < np.median(away) < high


@states
def test_large_looks_arrive_within_two_pictures(
    lives: dict[Activity, Life], state: Activity
) -> None:
    moved = np.hypot(*np.diff(lives[state].looks_at(), axis=0).T)
    large = np.flatnonzero(moved > 1.5)
    runs = np.split(large, np.flatnonzero(np.diff(large) > 1) + 1)
    lengths = [len(run) for run in runs]
    assert len(lengths) > 50
    assert np.mean(np.array(lengths) <= 2) > 0.97


@states
def test_the_head_sways_as_much_as_the_state_asks_for(
    lives: dict[Activity, Life], state: Activity
) -> None:
    sigma = lives[state].head()[25:].std(axis=0)
    # Nods and the beat of the voice add to the pitch.
    slack = 0.35 if state is Activity.SPEAKING else 0.2
    assert sigma.tolist() == pytest.approx(STATES[state].sigma, rel=slack)


@states
def test_the_head_is_never_too_fast_or_turned_too_far(
    lives: dict[Activity, Life], state: Activity
) -> None:
    head = lives[state].head()
    assert np.abs(np.diff(head, axis=0)).max() / FRAME_S <= 35 + 1e-6
    assert (np.abs(head).max(axis=0) <= (8, 6, 4)).all()


@states
def test_it_breathes_as_often_as_people(lives: dict[Activity, Life], state: Activity) -> None:
    rising = np.diff(lives[state].channel("breath")) > 0
    low, high = STATES[state].breaths
    assert low <= (rising[1:] & ~rising[:-1]).sum() / MINUTES <= high


@states
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_movement_repeats_within_a_minute(
    lives: dict[Activity, Life], state: Activity, axis: int
) -> None:
    angle = lives[state].head()[:, axis]
    angle = angle - angle.mean()
    power = np.abs(np.fft.rfft(angle, 2 * len(angle))) ** 2
    alike = np.fft.irfft(power)[: len(angle)]
    alike /= alike[0]
    forgotten = int(np.argmax(alike < 0.5))
    assert 0 < forgotten * FRAME_S < 5
    assert alike[forgotten : 60 * 25].max() < 0.9


def test_about_a_third_of_the_accents_bows_the_head(lives: dict[Activity, Life]) -> None:
    speaking = lives[Activity.SPEAKING]
    pitch = speaking.head()[:, 1]
    rise = np.array(
        [
            pitch[int((p + 0.06) / FRAME_S)] - pitch[int((p - 0.16) / FRAME_S)]
            for p in speaking.voice.peaks
            if 5 < p < 590
        ]
    )
    assert 0.18 < (rise > 1.2).mean() < 0.42
    assert np.median(rise) < 0.8


def test_the_head_is_lowest_0_to_80_ms_after_the_pitch_is_highest(
    lives: dict[Activity, Life],
) -> None:
    speaking = lives[Activity.SPEAKING]
    course = speaking.around_accents(speaking.head()[:, 1], 0.3, 0.4)
    lowest = 0.01 * int(course.argmax()) - 0.3
    assert 0 <= lowest <= 0.08 + 1e-9
    assert course.max() - course[0] > 0.5


def test_the_brows_are_on_their_way_100_ms_before_the_pitch_is_highest(
    lives: dict[Activity, Life],
) -> None:
    speaking = lives[Activity.SPEAKING]
    course = speaking.around_accents(speaking.channel("browOuterUpLeft"), 0.4, 0.4)
    height = course - course[:20].min()
    begins = 0.01 * int(np.argmax(height > 0.1 * height.max())) - 0.4
    assert -0.16 <= begins <= -0.06
    assert height.max() > 0.05


def test_brows_are_raised_15_to_40_hundredths_some_times_a_minute(
    lives: dict[Activity, Life],
) -> None:
    brows = lives[Activity.SPEAKING].channel("browOuterUpLeft")
    raised = np.flatnonzero(np.diff((brows > 0.14).astype(int)) == 1)
    assert 5 < len(raised) / MINUTES < 18
    assert 0.25 < brows.max() < 0.5


def test_yaw_and_roll_are_free_of_the_voice(lives: dict[Activity, Life]) -> None:
    speaking = lives[Activity.SPEAKING]
    for axis in (0, 2):
        course = speaking.around_accents(speaking.head()[:, axis], 0.3, 0.4)
        assert course.max() - course.min() < 0.3


def test_ends_of_phrases_draw_blinks(lives: dict[Activity, Life]) -> None:
    speaking = lives[Activity.SPEAKING]
    into = speaking.blinks() % (PHRASE_S + PAUSE_S)
    # A phrase end is known after 120 ms of quiet; the hazard is raised for 250 ms.
    window = (into > PHRASE_S + 0.1) & (into < PHRASE_S + 0.1 + 0.29)
    share = window.mean() / (0.29 / (PHRASE_S + PAUSE_S))
    assert 1.5 < share < 4


def test_no_blink_and_nod_begin_together(lives: dict[Activity, Life]) -> None:
    speaking = lives[Activity.SPEAKING]
    speed = np.diff(speaking.head()[:, 1]) / FRAME_S
    # Only a nod bows the head so fast.
    fast = speed > 18
    begins = FRAME_S * (np.flatnonzero(fast[1:] & ~fast[:-1]) + 1)
    gaps = np.abs(begins[:, None] - speaking.blinks()[None]).min(axis=1)
    assert len(begins) > 30
    assert (gaps < 0.03).mean() < 0.05
