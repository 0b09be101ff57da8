"""Beat and pauses are found in what the mouth does."""

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.face.prosody import Prosody, aperture
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES, Features


def jaw(opened: float, viseme: str = "aa", **others: float) -> Features:
    mouth = np.zeros(len(MOUTH_NAMES), np.float32)
    for name, value in {"jawOpen": opened, **others}.items():
        mouth[MOUTH_NAMES.index(name)] = value
    visemes = np.zeros(len(VISEME_NAMES), np.float32)
    visemes[VISEME_NAMES.index(viseme)] = 1
    return Features(Ticks(0), mouth, visemes)


def hear(moments: list[Features | None]) -> list[tuple[bool, float]]:
    prosody = Prosody()
    heard = []
    for features in moments:
        prosody.step(0.04, features)
        heard.append((prosody.pause, prosody.beat))
    return heard


def syllables(count: int, loud: set[int]) -> list[Features | None]:
    """Five pictures each; the loud ones open the mouth three times as far."""
    shape = np.array([0.2, 0.8, 1.0, 0.7, 0.2])
    return [jaw(h * (0.75 if i in loud else 0.25)) for i in range(count) for h in shape]


def test_closed_narrow_and_rolled_lips_are_less_open() -> None:
    open_lips = aperture(jaw(0.5))
    assert open_lips == pytest.approx(0.5)
    assert aperture(jaw(0.5, lipClose=1.0)) == 0
    assert 0 < aperture(jaw(0.5, mouthPucker=1.0)) < open_lips
    assert 0 < aperture(jaw(0.5, rollLower=1.0)) < open_lips
    assert aperture(jaw(0.5, lowerLipDown=1.0)) > open_lips


def test_the_end_of_a_phrase_is_told_once() -> None:
    moments = syllables(10, set()) + [jaw(0, "sil")] * 30 + syllables(10, set()) + [None] * 30
    pauses = [i for i, (pause, _) in enumerate(hear(moments)) if pause]
    assert len(pauses) == 2
    assert 50 < pauses[0] <= 54
    assert 130 < pauses[1] <= 134


def test_a_gap_inside_a_word_is_no_pause() -> None:
    moments = syllables(10, set()) + [jaw(0, "sil")] * 2 + syllables(10, set())
    assert not any(pause for pause, _ in hear(moments))


def test_silence_has_no_pauses_or_beat() -> None:
    assert hear([None] * 200) == [(False, 0.0)] * 200


def test_the_beat_follows_syllables_and_averages_out() -> None:
    beat = np.array([b for _, b in hear(syllables(60, set(range(0, 60, 3))))])[50:]
    assert beat.std() > 0.03
    assert abs(beat.mean()) < 0.02
    assert np.abs(beat).max() < 0.5
