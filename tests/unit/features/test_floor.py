"""Where the level that a recording never falls below is reached, nobody speaks."""

import numpy as np
import pytest

from avatar_worker.features.floor import (
    ABOVE,
    EVERY,
    FLAT,
    NOWHERE,
    PARTS,
    REMEMBERED,
    Floor,
    levels,
    presence,
    under,
)  # fmt: skip
from avatar_worker.features.hearing import MelStream, log_mel_step
from avatar_worker.features.mel import BANDS

QUIET = np.full(PARTS, -4.3, np.float32)


def told(course: np.ndarray, before: np.ndarray = QUIET) -> np.ndarray:
    """Presence along a course of levels (n, 5). (n,)."""
    under = Floor(before)
    found = []
    for now in course.astype(np.float32):
        under.hear(now)
        found.append(float(presence(now[None], under.lowest[None])[0]))
    return np.array(found)


def noise(count: int, level: float = -2.0, seed: int = 0) -> np.ndarray:
    """Levels of steady noise."""
    return level + 0.03 * np.random.default_rng(seed).standard_normal((count, PARTS))


def talk(count: int, seed: int = 1) -> np.ndarray:
    """Levels of somebody who speaks without a pause."""
    return np.random.default_rng(seed).uniform(-2.5, 0, (count, PARTS))


def test_steady_noise_is_nobody_once_it_has_been_heard_for_two_seconds() -> None:
    found = told(noise(200))
    assert found[:EVERY].max() == 1, "a voice that begins at once is not held back"
    assert found[REMEMBERED + EVERY :].max() == 0


def test_a_voice_above_the_noise_moves_freely() -> None:
    course = np.concatenate([noise(80), noise(20) + 0.6, noise(20, seed=3)])
    found = told(course)
    assert found[80:100].min() == 1
    assert found[-15:].max() == 0


def test_a_voice_in_one_part_of_the_spectrum_is_enough() -> None:
    course = noise(100)
    course[90:, 2] += 0.7
    assert told(course)[90:].min() == 1


def test_where_nothing_lies_still_there_is_no_floor() -> None:
    assert told(talk(300))[REMEMBERED:].min() == 1


def test_digital_silence_is_nobody_and_speech_after_it_is_free_at_once() -> None:
    course = np.concatenate([np.repeat(QUIET[None], 40, axis=0), talk(40) + 1])
    found = told(course)
    assert found[:40].max() == 0
    assert found[40:].min() == 1


def test_noise_that_rises_becomes_the_floor_and_one_that_falls_does_sooner() -> None:
    found = told(np.concatenate([noise(80), noise(80, -1.0), noise(40, -2.5)]))
    assert found[82:120].min() == 1
    assert found[135:160].max() == 0
    assert found[160 + EVERY :].max() == 0


def test_between_nobody_and_somebody_is_a_slope() -> None:
    floors = np.zeros((9, PARTS), np.float32)
    now = np.repeat(np.linspace(0, 0.6, 9, dtype=np.float32)[:, None], PARTS, axis=1)
    found = presence(now, floors)
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] == 1
    assert presence(now[:1] + ABOVE[0] - 1e-3, floors[:1])[0] == 0


def test_without_a_floor_everything_is_above_it() -> None:
    assert presence(np.full((1, PARTS), -6.0, np.float32), NOWHERE[None])[0] == 1


def test_levels_are_the_means_of_parts() -> None:
    mel = np.random.default_rng(0).uniform(-5, 1, (3, 12, BANDS)).astype(np.float32)
    plain = [[mel[b, :, 8 * p : 8 * p + 8].mean() for p in range(PARTS)] for b in range(3)]
    assert levels(mel) == pytest.approx(np.array(plain), abs=1e-4)


def test_the_hiss_over_digital_silence_is_nobody_from_the_first_picture() -> None:
    stream, still = MelStream(), np.zeros(640, np.float32)
    mel = np.concatenate([log_mel_step([stream], [still]) for _ in range(150)], axis=1)
    heard = np.concatenate([levels(mel[:, at : at + 12]) for at in range(0, 580, 4)])
    assert (heard.std(axis=0) < FLAT[1] / 2).all()
    found = told(heard, under(mel[0, :200], 12))
    assert found.mean() < 0.05
    assert found.max() < 0.5
